package service

import (
	"context"
	_ "embed"
	"errors"
)

//go:embed errors.yaml
var errorText []byte

// ErrorText is the catalogue of the sentinel errors, to be added under the
// prefix "error".
func ErrorText() []byte { return errorText }

// ErrorID names the words of an error: those of a Fault, else those of the first
// sentinel below that it wraps. The error's own text stays English detail beside
// them. A call that was cancelled often reports its server as unreachable, so
// the interruption is looked for first.
func ErrorID(err error) (id string, args Args) {
	var fault *Fault
	if errors.As(err, &fault) {
		return fault.ID, fault.Args
	}
	for _, sentinel := range []struct {
		err error
		id  string
	}{
		{context.Canceled, "error.interrupted"},
		{ErrDamaged, "error.damaged"},
		{ErrDenied, "error.denied"},
		{ErrNoSpace, "error.no-space"},
		{ErrNoTool, "error.no-tool"},
		{ErrNoScratch, "error.no-scratch"},
		{ErrUnsupported, "error.unsupported"},
		{ErrBusy, "error.busy"},
		{ErrStale, "error.stale"},
		{ErrRefused, "error.refused"},
		{ErrChanged, "error.changed"},
		{ErrUndeclared, "error.undeclared"},
		{ErrNotFound, "error.not-found"},
		{ErrUnreachable, "error.unreachable"},
		{context.DeadlineExceeded, "error.timeout"},
	} {
		if errors.Is(err, sentinel.err) {
			return sentinel.id, nil
		}
	}
	return "error.unexpected", nil
}
