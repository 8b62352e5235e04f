package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"upkeep/internal/control"
	"upkeep/internal/service"
)

// Process is what parts share and what the page asks.
type Process struct {
	opt    Options
	begun  time.Time
	lock   *flock.Flock
	parts  []part
	routes []route

	// Parts that others look at.
	collector *collector
	looker    *looker
	alerting  *alerting
	scheduler *scheduler
	keeper    *keeper
	messenger *messenger

	mu  sync.Mutex
	app *lent
}

// lent is an opened declaration and how many use it: the last one closes it.
type lent struct {
	*control.App
	users sync.WaitGroup
}

func newProcess(opt Options) *Process {
	return &Process{opt: opt, begun: opt.Now(), app: &lent{App: opt.Open(opt.Config)}}
}

// judge is what parts say of themselves, as findings of upkeep itself.
func (p *Process) judge() (all service.Verdict) {
	for _, part := range p.parts {
		if judged, ok := part.(judged); ok {
			all.Merge(judged.judge())
		}
	}
	return all
}

// open makes this the process that serves, and makes its parts ready.
func (p *Process) open(ctx context.Context) (err error) {
	app, done := p.App()
	defer done()
	if _, err := app.Journal(ctx); err != nil { // makes the state directory
		return err
	}
	if p.lock, err = claim(app.StateDir(), app.Config.System, app.Config.Listen, p.opt.Now()); err != nil {
		return err
	}
	return p.newParts(ctx)
}

// App lends the declaration that is in force. done gives it back; it is closed only when
// nobody has it, so a reload takes it away from nobody.
func (p *Process) App() (app *control.App, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.app
	l.users.Add(1)
	return l.App, sync.OnceFunc(l.users.Done)
}

// Log is where parts and the page tell what people with the program's output may want.
func (p *Process) Log() *slog.Logger { return p.opt.Log }

// Now is the time.
func (p *Process) Now() time.Time { return p.opt.Now() }

// Begun is when the process started.
func (p *Process) Begun() time.Time { return p.begun }

// swap puts another declaration in force and closes the old one when it is free.
func (p *Process) swap(ctx context.Context, app *control.App) {
	p.mu.Lock()
	old := p.app
	p.app = &lent{App: app}
	p.mu.Unlock()
	go func() {
		old.users.Wait()
		if err := old.Close(context.WithoutCancel(ctx)); err != nil {
			p.opt.Log.Warn("old declaration not closed", "error", err)
		}
	}()
}

// close ends what open began.
func (p *Process) close(ctx context.Context) error {
	err := p.app.Close(ctx)
	if p.lock == nil {
		return err
	}
	if failed := release(p.lock); failed != nil {
		err = errors.Join(err, fmt.Errorf("give up the lock: %w", failed))
	}
	return err
}
