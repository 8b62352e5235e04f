package tables

import (
	"errors"
	"slices"
	"strings"

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
