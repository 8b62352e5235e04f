package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"upkeep/internal/capability/collect"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
)

// collectDeadline is how long a round of samples may take.
const collectDeadline = 15 * time.Second

// Collect writes one round of samples as OpenMetrics to out and what could not be
// sampled to errs. It records nothing. The code is the exit code.
func (a *App) Collect(ctx context.Context, names []string, out, errs io.Writer) (code int, err error) {
	all, failed, err := a.Samples(ctx, names)
	if err != nil {
		return engine.ExitFailed, err
	}
	codes := map[int]bool{engine.ExitPartly: len(failed) > 0 && len(failed) < all.Targets()}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		fmt.Fprintf(errs, "%s: %v\n", name, failed[name])
		codes[engine.Problem(failed[name]).Code] = true
	}
	return engine.Worst(codes), all.OpenMetrics(out)
}

// Samples takes one round of samples of the named targets, or of all and of upkeep itself.
// failed says, by target, what could not be sampled. Connections of rounds over all targets
// stay open until Close. Rounds do not run side by side.
func (a *App) Samples(ctx context.Context, names []string) (all *collect.Exposition, failed map[string]error, err error) {
	a.sampling.Lock()
	defer a.sampling.Unlock()
	targets, err := a.Inventory.Select(names)
	if err != nil {
		return nil, nil, err
	}
	round := a.round
	if round == nil || len(names) > 0 {
		cannot := func(t inventory.Target) bool { return !t.Kind.Offers("collect") }
		round = &collect.Round{System: a.Config.System, Targets: slices.DeleteFunc(slices.Clone(targets), cannot)}
	}
	if len(names) > 0 {
		defer func() { err = errors.Join(err, round.Close()) }()
	} else {
		a.round = round
	}
	return a.take(ctx, round, len(names) == 0)
}

func (a *App) take(ctx context.Context, round *collect.Round, self bool) (*collect.Exposition, map[string]error, error) {
	ctx, cancel := context.WithTimeout(ctx, collectDeadline)
	defer cancel()
	all, failed := &collect.Exposition{}, map[string]error{}
	add := func(s collect.Sampled) {
		if err := errors.Join(s.Err, all.Add(s)); err != nil {
			failed[s.Target] = err
		}
	}
	round.Take(ctx, add)
	if !self {
		return all, failed, nil
	}
	families, err := a.own.sample(ctx, a)
	if err != nil {
		return all, failed, fmt.Errorf("sample upkeep itself: %w", err)
	}
	return all, failed, all.Add(collect.Sampled{Families: families})
}
