package service

import (
	"errors"
	"fmt"
)

// Sentinels that steer the runner and the exit code. Wrap them with %w; each has
// a translated lead, consequence and fix in the product's catalogue.
var (
	ErrUnreachable = errors.New("unreachable")               // no answer, refused, timed out
	ErrDenied      = errors.New("login refused")             // it answered, and did not let us in
	ErrUnsupported = errors.New("not supported")             // this kind or version cannot do it
	ErrBusy        = errors.New("busy")                      // somebody else is doing it
	ErrStale       = errors.New("stale plan")                // the world moved since the plan was made
	ErrNoScratch   = errors.New("no scratch server")         // a drill cannot take place here
	ErrNoTool      = errors.New("program not found")         // a client program is missing or too old
	ErrNoSpace     = errors.New("not enough space")          // measured or estimated beforehand
	ErrNotFound    = errors.New("not found")                 // point, part, run, plan
	ErrUndeclared  = errors.New("not declared")              // a target or job that was named
	ErrChanged     = errors.New("changed while it was read") // read it again
	ErrDamaged     = errors.New("damaged")                   // bytes that were stored cannot be authenticated
	ErrRefused     = errors.New("refused")                   // an approval, lock or rule is missing
)

// Fault is an error with words of its own: a title, consequence and fix in a
// catalogue under ID. It wraps one of the sentinels.
type Fault struct {
	ID   string // "postgres.pg-dump-too-old"
	Args Args   // of the words; never a secret
	Err  error  // the cause, wrapping a sentinel
}

func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// As returns in as the capability interface T, or an error wrapping
// ErrUnsupported; ErrStale for the nil instance of a target that is no longer
// declared.
func As[T any](in Instance) (T, error) {
	if capable, ok := in.(T); ok {
		return capable, nil
	}
	var none T
	if in == nil {
		return none, fmt.Errorf("the target is no longer declared: %w", ErrStale)
	}
	return none, fmt.Errorf("%T does not offer it: %w", in, ErrUnsupported)
}
