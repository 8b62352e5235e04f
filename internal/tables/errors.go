package tables

import (
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/duckdb/duckdb-go/v2"
)

// Damaged reports whether an error says that what lies in a file is not what its format
// demands.
func Damaged(err error) bool {
	return is(err, duckdb.ErrorTypeInvalidInput, duckdb.ErrorTypeIO, duckdb.ErrorTypeSerialization, duckdb.ErrorTypeConversion, duckdb.ErrorTypeInvalid,
		duckdb.ErrorTypeOutOfRange, duckdb.ErrorTypeNotImplemented)
}

// Misused reports whether an error says that a statement does not fit its tables.
func Misused(err error) bool {
	return is(err, duckdb.ErrorTypeBinder, duckdb.ErrorTypeCatalog, duckdb.ErrorTypeParser, duckdb.ErrorTypeSyntax, duckdb.ErrorTypeMismatchType)
}

// Full reports whether an error says that a disk has no room, or its quota is used up.
// DuckDB gives the system's words and no number.
func Full(err error) bool {
	return is(err, duckdb.ErrorTypeIO) && slices.ContainsFunc([]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT},
		func(e syscall.Errno) bool { return strings.Contains(strings.ToLower(err.Error()), e.Error()) })
}

// Said is what an error of DuckDB says, without the statement that it repeats below.
func Said(err error) string {
	said, _, _ := strings.Cut(err.Error(), "\n")
	return said
}

// Exhausted reports whether an error says that a statement needs more memory than it was
// given.
func Exhausted(err error) bool { return is(err, duckdb.ErrorTypeOutOfMemory) }

func is(err error, kinds ...duckdb.ErrorType) bool {
	var of *duckdb.Error
	return errors.As(err, &of) && slices.Contains(kinds, of.Type)
}
