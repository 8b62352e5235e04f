package document

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Fault says where a document stops being one.
type Fault struct {
	Offset int64  // bytes before it
	Way    string // keys that lead there, divided by slashes
	Reason Reason
	Detail string // of the parser
}

// Reason is what is wrong.
type Reason string

// Reasons. A document that ends too early was cut off: what is before may be saved.
const (
	Empty     Reason = "empty"
	CutOff    Reason = "cut-off"
	Twice     Reason = "key-twice"
	NotText   Reason = "no-utf8"
	TooDeep   Reason = "too-deep"
	TooMuch   Reason = "more-than-one"
	NotJSON   Reason = "no-json"
	ByteOrder Reason = "byte-order-mark"
)

func (f *Fault) Error() string {
	return fmt.Sprintf("at byte %d (%s): %s: %s", f.Offset, f.Way, f.Reason, f.Detail)
}

var errMore = errors.New("another value follows")

// fault makes one of an error of the parser. What emit or the reader below said stays
// as it is.
func (r *reader) fault(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case r.failed != nil:
		return err
	case errors.As(err, &syntax):
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errMore):
	default:
		return err
	}
	f := &Fault{Offset: r.dec.InputOffset(), Detail: err.Error()}
	at := r.dec.StackPointer()
	if syntax != nil {
		f.Offset, f.Detail, at = syntax.ByteOffset, syntax.Err.Error(), syntax.JSONPointer
	}
	f.Way = strings.Join(slices.Collect(at.Tokens()), "/")
	f.Reason = reason(err, f)
	return f
}

func reason(err error, f *Fault) Reason {
	switch {
	case errors.Is(err, errMore):
		return TooMuch
	case errors.Is(err, io.EOF) && f.Offset == 0:
		return Empty
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return CutOff
	case errors.Is(err, jsontext.ErrDuplicateName):
		return Twice
	case strings.Contains(f.Detail, "invalid UTF-8"):
		return NotText
	case strings.Contains(f.Detail, "max depth"):
		return TooDeep
	case f.Offset == 0 && strings.Contains(f.Detail, `\ufeff`):
		return ByteOrder
	}
	return NotJSON
}
