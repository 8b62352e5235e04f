package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"upkeep/internal/control"
	"upkeep/internal/notify"
	"upkeep/internal/service"
)

// pinged takes the pings of what upkeep does not run.
type pinged struct{ process *Process }

func newPinged(_ context.Context, p *Process) (part, []route, error) {
	in := &pinged{p}
	return in, []route{{"/ping/{name}/{key}", in}, {"/ping/{name}/{key}/{signal}", in}}, nil
}

func (*pinged) Name() string { return "pings" }

// Run has nothing to do by itself.
func (*pinged) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Reload needs nothing: which pings there are is asked of the declaration each time.
func (*pinged) Reload(context.Context, *control.App) error { return nil }

// mostSent is how much of a body is read at all, in bytes: what is not kept is counted.
const mostSent = 10 << 20

// ServeHTTP answers as healthchecks services do: OK, or 404 for a name or a key that is wrong.
func (in *pinged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, r.Method) {
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "405: a ping is GET, HEAD or POST", http.StatusMethodNotAllowed)
		return
	}
	signal, known := notify.ParseSignal(r.PathValue("signal"))
	if !known {
		http.Error(w, "400: a ping ends with nothing, start, fail, log or an exit code from 0 to 255", http.StatusBadRequest)
		return
	}
	body, whole, err := read(http.MaxBytesReader(w, r.Body, mostSent))
	if err != nil {
		http.Error(w, "413: the log is longer than 10 MB", http.StatusRequestEntityTooLarge)
		return
	}
	app, done := in.process.App()
	defer done()
	switch err := app.Heard(r.Context(), r.PathValue("name"), r.PathValue("key"), signal, body, whole); {
	case errors.Is(err, service.ErrDenied):
		http.Error(w, "404: no such ping", http.StatusNotFound)
	case err != nil:
		in.process.Log().Error("ping not kept", "name", r.PathValue("name"), "error", err)
		http.Error(w, "500: the ping was not kept: see the log of upkeep serve", http.StatusInternalServerError)
	default:
		fmt.Fprint(w, "OK")
	}
}

// read keeps the beginning of a log and counts the rest.
func read(from io.Reader) (kept []byte, whole int64, err error) {
	kept, err = io.ReadAll(io.LimitReader(from, notify.MostBody))
	if err != nil {
		return nil, 0, err
	}
	rest, err := io.Copy(io.Discard, from)
	return kept, int64(len(kept)) + rest, err
}
