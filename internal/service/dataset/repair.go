package dataset

import (
	"context"
	"fmt"

	"upkeep/internal/service"
)

// planRepair lists what can be mended.
func (in *Instance) planRepair(context.Context) ([]service.Step, error) { return nil, nil }

func (in *Instance) repair(_ context.Context, s service.Step, _ service.Report) (o service.Outcome, err error) {
	return o, fmt.Errorf("do %s: %w", s.ID, service.ErrUnsupported)
}

func (in *Instance) refuse(_ context.Context, s service.Step, _ service.Report) (o service.Outcome, err error) {
	return o, fmt.Errorf("do %s: %w", s.ID, service.ErrUnsupported)
}
