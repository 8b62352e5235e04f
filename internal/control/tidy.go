package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/internal/service"
)

// How often the repository is tidied up: merging indexes keeps it quick to open,
// giving back space reads all of them. How steps were done is kept for as long as
// anybody might still resume their run.
const (
	quickEvery = 24 * time.Hour
	fullEvery  = 7 * 24 * time.Hour
	stepsKept  = 365 * 24 * time.Hour
)

// tidy maintains the repository and the workflows when that is due. It leaves it to
// a later backup while another process writes.
func (a *App) tidy(ctx context.Context) error {
	full, err := a.due(ctx, "full-maintenance", fullEvery)
	if err != nil {
		return err
	}
	quick, err := a.due(ctx, "quick-maintenance", quickEvery)
	if err != nil || !full && !quick {
		return err
	}
	err = a.repository.Maintain(ctx, full)
	if errors.Is(err, service.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	w, err := a.openWorkflow(ctx)
	if err == nil {
		err = w.Forget(ctx, a.opt.Now().Add(-stepsKept))
	}
	if err != nil {
		return err
	}
	done := a.opt.Now().Format(time.RFC3339)
	state := a.state(a.Config.System, "repository")
	if full {
		err = state.Set(ctx, "full-maintenance", done)
	}
	return errors.Join(err, state.Set(ctx, "quick-maintenance", done))
}

// due reports whether something was last done longer ago than every. The first
// call starts the count: a new repository needs no care.
func (a *App) due(ctx context.Context, key string, every time.Duration) (bool, error) {
	state := a.state(a.Config.System, "repository")
	text, err := state.Get(ctx, key)
	if err != nil {
		return false, fmt.Errorf("ask when the repository was last tidied up: %w", err)
	}
	last, err := time.Parse(time.RFC3339, text)
	if err != nil { // never, or not readable: count from now
		return false, state.Set(ctx, key, a.opt.Now().Format(time.RFC3339))
	}
	return a.opt.Now().Sub(last) >= every, nil
}
