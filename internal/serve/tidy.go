package serve

import (
	"context"
	"time"

	"upkeep/internal/control"
)

// trash ends what was kept for undo when its time is over.
type trash struct{ process *Process }

func newTrash(_ context.Context, p *Process) (part, []route, error) {
	return &trash{process: p}, nil, nil
}

func (*trash) Name() string { return "trash" }

// trashEvery is how often it is asked whether something is over its time: the journal
// knows, so that is cheap.
const trashEvery = time.Minute

func (t *trash) Run(ctx context.Context) error {
	every(ctx, func() time.Duration { return trashEvery }, t.end)
	return nil
}

func (t *trash) end(ctx context.Context) {
	app, done := t.process.App()
	defer done()
	if err := app.EndTrash(ctx); err != nil && ctx.Err() == nil {
		t.process.Log().Error("what was kept for undo not ended", "error", err)
	}
}

// Reload has nothing to take: the declaration is asked each time.
func (*trash) Reload(context.Context, *control.App) error { return nil }
