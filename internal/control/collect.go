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
	targets, err := a.Inventory.Select(names)
	if err != nil {
		return engine.ExitFailed, err
	}
	can := func(t inventory.Target) bool { return t.Kind.Offers("collect") }
	round := collect.Round{System: a.Config.System, Targets: slices.DeleteFunc(slices.Clone(targets), func(t inventory.Target) bool { return !can(t) })}
	ctx, cancel := context.WithTimeout(ctx, collectDeadline)
	defer cancel()
	failed := round.Take(ctx)
	codes := map[int]bool{engine.ExitPartly: len(failed) > 0 && len(failed) < len(round.Targets)}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		fmt.Fprintf(errs, "%s: %v\n", name, failed[name])
		codes[engine.Problem(failed[name]).Code] = true
	}
	return engine.Worst(codes), round.Write(out)
}
