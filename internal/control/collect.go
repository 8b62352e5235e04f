package control

import (
	"context"
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
	round, failed, err := a.Samples(ctx, names)
	if err != nil {
		return engine.ExitFailed, err
	}
	codes := map[int]bool{engine.ExitPartly: len(failed) > 0 && len(failed) < len(round.Targets)}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		fmt.Fprintf(errs, "%s: %v\n", name, failed[name])
		codes[engine.Problem(failed[name]).Code] = true
	}
	return engine.Worst(codes), round.Write(out)
}

// Samples takes one round of samples. failed says, by target, what could not be sampled.
func (a *App) Samples(ctx context.Context, names []string) (round *collect.Round, failed map[string]error, err error) {
	targets, err := a.Inventory.Select(names)
	if err != nil {
		return nil, nil, err
	}
	cannot := func(t inventory.Target) bool { return !t.Kind.Offers("collect") }
	round = &collect.Round{System: a.Config.System, Targets: slices.DeleteFunc(slices.Clone(targets), cannot)}
	ctx, cancel := context.WithTimeout(ctx, collectDeadline)
	defer cancel()
	return round, round.Take(ctx), nil
}
