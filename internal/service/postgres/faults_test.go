package postgres_test

import (
	"errors"
	"testing"

	"upkeep/internal/secret"
	"upkeep/internal/service"
)

func literalRef(text string) secret.Ref { return secret.Ref{Scheme: secret.Literal, Place: text} }

func wantFault(t *testing.T, err error, id string, sentinel error) {
	t.Helper()
	var fault *service.Fault
	if !errors.As(err, &fault) || fault.ID != id || !errors.Is(err, sentinel) {
		t.Errorf("got %v; want %s wrapping %q", err, id, sentinel)
	}
}
