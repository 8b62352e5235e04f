package rabbitmq

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// stumbling is a management API that answers 500 so many times before it answers. A
// real one does so over queues that go away while it lists them.
func stumbling(t *testing.T, times int) (*Instance, *int) {
	t.Helper()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked <= times {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte(`[{"name": "ocr"}]`))
	}))
	t.Cleanup(server.Close)
	env := servicetest.Env(t)
	env.Secret = func(context.Context, secret.Ref) (string, error) { return "x", nil }
	cfg := Kind.NewConfig().(*Config)
	cfg.URL, cfg.Management = "amqp://u@127.0.0.1:1/", server.URL
	in, err := Kind.Open(env, cfg)
	must(t, err)
	t.Cleanup(func() { must(t, in.Close()) })
	return in.(*Instance), &asked
}

func TestAnAPIThatStumblesIsAskedOnceMore(t *testing.T) {
	var found []struct{ Name string }
	in, asked := stumbling(t, 1)
	if err := in.get(t.Context(), &found, "queues"); err != nil || len(found) != 1 || *asked != 2 {
		t.Errorf("asked %d times: %v, %v", *asked, found, err)
	}
	in, asked = stumbling(t, 100)
	if err := in.get(t.Context(), &found, "queues"); !errors.Is(err, service.ErrUnreachable) || *asked != 2 {
		t.Errorf("asked %d times: %v", *asked, err)
	}
}
