package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/internal/capability/tidy"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// tidyOp ends what was kept for undo and is over its time.
func (a *App) tidyOp(context.Context, string, Request) (operation, error) {
	keep := repository.Keep{System: a.Config.System} // keeps every point but the trash
	if declared := a.keep(); declared != nil {
		keep = *declared
	}
	t := tidy.Tidy{Keep: keep, Open: a.repositoryThatIs, Space: a.tidy, Next: func(ctx context.Context, at time.Time) error {
		state := a.state(a.Config.System, "repository")
		return errors.Join(state.Set(ctx, trashNext, at.Format(time.RFC3339)), state.Set(ctx, trashSeen, a.opt.Now().Format(time.RFC3339)))
	}}
	return operation{work: engine.Work{Steps: t.Steps(), Do: t.Do, Allow: service.Harmless}}, nil
}

// When the first of what is kept for undo ends, and when that was found.
const (
	trashNext = "trash-next"
	trashSeen = "trash-seen"
)

func (a *App) repositoryThatIs(ctx context.Context) (*repository.Repository, error) {
	r, err := a.openRepository(ctx, true)
	if errors.Is(err, service.ErrNotFound) {
		return nil, nil
	}
	return r, err
}

// EndTrash tidies up where something that was kept for undo is over its time.
func (a *App) EndTrash(ctx context.Context) (err error) {
	one, err := a.beside(ctx) // what it opens of the repository is given back
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.Close(context.WithoutCancel(ctx))) }()
	due, err := one.trashDue(ctx)
	if err == nil && due {
		_, err = one.Submit(ctx, Request{Verb: "tidy"})
	}
	return err
}

// trashDue reports whether something that was kept for undo is over its time. It asks
// the journal alone: opening the repository takes more memory than all else that goes on.
func (a *App) trashDue(ctx context.Context) (bool, error) {
	state := a.state(a.Config.System, "repository")
	next, err := state.Get(ctx, trashNext)
	if err != nil {
		return false, err
	}
	seenText, err := state.Get(ctx, trashSeen)
	if err != nil {
		return false, err
	}
	now := a.opt.Now()
	if at, err := time.Parse(time.RFC3339, next); err == nil && !at.IsZero() && now.After(at) {
		return true, nil
	}
	// What was restored since then, and long enough ago.
	seen, err := time.Parse(time.RFC3339, seenText)
	if err != nil {
		seen = time.Time{}
	}
	undo := a.Config.UndoFor().Std()
	restored, err := a.journal.Within(ctx, journal.Query{System: a.Config.System, Verb: "restore"}, seen.Add(-undo), now.Add(-undo))
	if err != nil {
		return false, fmt.Errorf("look for what was kept for undo: %w", err)
	}
	return len(restored) > 0, nil
}
