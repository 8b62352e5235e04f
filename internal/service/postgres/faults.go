package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"upkeep/internal/service"
)

// errNoDatabase is what a login to a database that does not exist ends with.
var errNoDatabase = errors.New("database does not exist")

// SQLSTATEs that somebody branches on.
const (
	stateNoSlots     = "53300" // too_many_connections
	stateNoDatabase  = "3D000"
	stateNoPrivilege = "42501"
	stateLocked      = "55P03" // lock_not_available
	stateNoTable     = "42P01"
	stateDuplicate   = "42710"
	stateBadLocale   = "42809" // what CREATE DATABASE answers to a locale it does not have
	stateFull        = "53100"
)

// faultNoSlots is the error of a server that has no connection left for us.
const faultNoSlots = "postgres.no-slots"

// fault gives an error of the driver or the server the sentinel it deserves.
// Errors that have one stay as they are.
func fault(err error) error {
	var told *pgconn.PgError
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		err = oneLine{err}
	}
	switch {
	case err == nil, isSentinel(err), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &told):
		return serverFault(told, err)
	case lost(err):
		return fmt.Errorf("%w: %w", service.ErrUnreachable, err)
	}
	return err
}

// oneLine is an error of the driver that names every address it tried on a line of
// its own, often the same one twice: with and without encryption.
type oneLine struct{ error }

func (e oneLine) Error() string {
	var lines []string
	for line := range strings.Lines(e.error.Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

func (e oneLine) Unwrap() error { return e.error }

func isSentinel(err error) bool {
	known := []error{service.ErrUnreachable, service.ErrDenied, service.ErrBusy, service.ErrNoSpace, errNoDatabase}
	return slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) })
}

func serverFault(told *pgconn.PgError, err error) error {
	switch {
	case strings.HasPrefix(told.Code, "28"):
		return fmt.Errorf("%w: %w", service.ErrDenied, err)
	case told.Code == stateNoSlots:
		return &service.Fault{ID: faultNoSlots, Err: fmt.Errorf("%w: %w", service.ErrUnreachable, err)}
	case strings.HasPrefix(told.Code, "57P"), strings.HasPrefix(told.Code, "08"):
		return fmt.Errorf("%w: %w", service.ErrUnreachable, err)
	case told.Code == stateNoDatabase:
		return fmt.Errorf("%w: %w", errNoDatabase, err)
	case told.Code == stateNoPrivilege:
		return &service.Fault{ID: "postgres.no-privilege", Args: service.Args{"message": told.Message},
			Err: fmt.Errorf("%w: %w", service.ErrDenied, err)}
	case told.Code == stateLocked:
		return &service.Fault{ID: "postgres.locked", Err: fmt.Errorf("%w: %w", service.ErrBusy, err)}
	case told.Code == stateFull:
		return fmt.Errorf("%w: %w", service.ErrNoSpace, err)
	}
	return err
}

// lost reports whether the connection broke or never came about.
func lost(err error) bool {
	var network net.Error
	var connecting *pgconn.ConnectError
	return errors.As(err, &connecting) || errors.As(err, &network) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), "conn closed")
}

// state is the SQLSTATE of an error, or "".
func state(err error) string {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return told.Code
	}
	return ""
}
