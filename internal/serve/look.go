package serve

import (
	"context"
	"sync"
	"time"

	"upkeep/internal/control"
	"upkeep/internal/journal"
)

// looker checks the declared services again and again. The journal gets what changed.
type looker struct {
	process *Process

	mu    sync.Mutex
	every time.Duration
	last  journal.Run
	sinks []func(ctx context.Context, run journal.Run)
}

func newLooker(_ context.Context, p *Process) (part, []route, error) {
	l := &looker{process: p, every: p.opt.Config.Monitor.Check.Std()}
	p.looker = l
	p.messenger.goesRound(l.Name(), l.every)
	return l, nil, nil
}

func (*looker) Name() string { return "check" }

// tell adds somebody who is given every check. It is called before Run only.
func (l *looker) tell(sink func(ctx context.Context, run journal.Run)) {
	l.sinks = append(l.sinks, sink)
}

func (l *looker) Run(ctx context.Context) error {
	every(ctx, l.interval, l.look)
	return nil
}

func (l *looker) interval() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.every
}

func (l *looker) look(ctx context.Context) {
	defer func() { l.process.messenger.goesRound(l.Name(), l.interval()) }()
	app, done := l.process.App()
	defer done()
	if err := app.Serves(ctx, l.process.judge(), l.process.Now().Add(2*l.interval()+time.Minute)); err != nil && ctx.Err() == nil {
		l.process.Log().Error("what serve says of itself is not recorded", "error", err)
	}
	run, recorded, err := app.Look(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		l.process.Log().Error("check not recorded", "error", err)
	}
	if recorded {
		l.process.Log().Info("check says something new", "run", run.ID, "verdict", run.Verdict)
	}
	l.mu.Lock()
	l.last = run
	l.mu.Unlock()
	for _, sink := range l.sinks {
		sink(ctx, run)
	}
}

// Reload takes the interval; what is checked is asked of the declaration each time.
func (l *looker) Reload(_ context.Context, app *control.App) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.every = app.Config.Monitor.Check.Std()
	return nil
}

// Checked is the latest check, also one that was not recorded. Its Finished is zero while
// there was none.
func (p *Process) Checked() journal.Run {
	p.looker.mu.Lock()
	defer p.looker.mu.Unlock()
	return p.looker.last
}
