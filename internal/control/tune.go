package control

import (
	"context"

	"upkeep/internal/capability/tune"
	"upkeep/internal/engine"
)

// tuneOp asks targets how they would be set better.
func (a *App) tuneOp(_ context.Context, _ string, req Request) (operation, error) {
	targets, err := a.offering("tune", req.Targets)
	if err != nil {
		return operation{}, err
	}
	t := tune.Tune{Targets: targets}
	return operation{work: engine.Work{Steps: t.Steps(), Do: t.Do}}, nil
}
