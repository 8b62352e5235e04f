package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// windows answers who asks for the maintenance windows, and who opens or closes one.
type windows struct{ process *Process }

func newWindows(_ context.Context, p *Process) (part, []route, error) {
	w := &windows{process: p}
	return w, []route{
		{"GET /api/v1/windows", answering(w.list)},
		{"POST /api/v1/windows", answering(w.open)},
		{"DELETE /api/v1/windows/{name}", answering(w.shut)},
	}, nil
}

func (*windows) Name() string { return "windows" }

// Reload has nothing to take: the declaration is asked each time.
func (*windows) Reload(context.Context, *control.App) error { return nil }

func (w *windows) list(r *http.Request) (any, error) {
	app, done := w.process.App()
	defer done()
	all, err := app.Windows(r.Context())
	return map[string]any{"windows": all}, err
}

// opened is what who opens a window sends.
type opened struct {
	Window  string   `json:"window"`
	For     string   `json:"for"` // 2h
	Why     string   `json:"why"`
	By      string   `json:"by"` // who asks; nothing proves it
	Targets []string `json:"targets"`
}

// asker is who asks through this address, as the journal says it.
func asker(said string) string {
	if said == "" {
		return "api"
	}
	return "api: " + said
}

func (w *windows) open(r *http.Request) (any, error) {
	var o opened
	decoder := json.NewDecoder(io.LimitReader(r.Body, 1<<16))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return nil, wrong{err}
	}
	long, err := quantity.ParseDuration(o.For)
	if err != nil {
		return nil, wrong{err}
	}
	app, done := w.process.App()
	defer done()
	window, err := app.OpenWindow(r.Context(), control.Opening{Name: o.Window, For: long.Std(), Why: o.Why, Targets: o.Targets, By: asker(o.By)})
	return map[string]any{"window": window}, err
}

func (w *windows) shut(r *http.Request) (any, error) {
	app, done := w.process.App()
	defer done()
	window, err := app.CloseWindow(r.Context(), r.PathValue("name"), asker(r.URL.Query().Get("by")), "")
	return map[string]any{"window": window}, err
}

// wrong is a request that cannot be read.
type wrong struct{ error }

// answering writes what comes back as JSON, or why nothing does.
func answering(do func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		body, err := do(r)
		if err != nil {
			w.WriteHeader(status(err))
			body = map[string]any{"error": engine.Problem(err)}
		}
		_ = json.NewEncoder(w).Encode(body) // whoever asked has gone
	})
}

func status(err error) int {
	var bad wrong
	switch {
	case errors.As(err, &bad), errors.Is(err, service.ErrUndeclared):
		return http.StatusBadRequest
	case errors.Is(err, service.ErrRefused):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}
