package serve

import (
	"context"
	"fmt"
	"slices"

	"upkeep/internal/notify"
)

// reloads takes the declaration anew at each signal. One that is wrong is refused, with
// its problems in the log, and the old one stays in force.
func (p *Process) reloads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.opt.Reload:
			p.tells(notify.Reloading())
			err := p.reload(ctx)
			p.tells(notify.Ready())
			if err != nil {
				p.opt.Log.Error("declaration refused, the old one stays in force", "error", err)
				continue
			}
			p.opt.Log.Info("declaration taken anew")
		}
	}
}

func (p *Process) reload(ctx context.Context) error {
	cfg, problems := p.opt.Load()
	if err := problems.Err(); err != nil {
		return err
	}
	old, done := p.App()
	defer done()
	if cfg.System != old.Config.System || cfg.Listen != old.Config.Listen || p.opt.Open(cfg).StateDir() != old.StateDir() {
		return fmt.Errorf("system, listen and state are taken at a start only: restart upkeep serve")
	}
	app := p.opt.Open(cfg)
	for i, part := range p.parts {
		if err := part.Reload(ctx, app); err != nil {
			for _, changed := range slices.Backward(p.parts[:i]) {
				if undo := changed.Reload(ctx, old); undo != nil {
					p.opt.Log.Error("part not brought back to the old declaration", "part", changed.Name(), "error", undo)
				}
			}
			return fmt.Errorf("%s: %w", part.Name(), err)
		}
	}
	p.swap(ctx, app)
	return nil
}
