package serve

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/control"
	"upkeep/internal/notify"
)

// messenger says that the process lives – a file, a ping, systemd's watchdog – and delivers
// what waits in the outbox.
type messenger struct {
	process *Process

	mu  sync.Mutex
	due map[string]time.Time // by part: when it must have gone round again
}

func newMessenger(_ context.Context, p *Process) (part, []route, error) {
	m := &messenger{process: p, due: map[string]time.Time{}}
	p.messenger = m
	return m, nil, nil
}

func (*messenger) Name() string { return "notify" }

// deliverEvery is how often the outbox is looked into: a list of file names.
const deliverEvery = 5 * time.Second

// lastTry is how long a stop waits for what was just put there. The rest goes out at the next
// start.
const lastTry = 3 * time.Second

func (m *messenger) Run(ctx context.Context) error {
	var group errgroup.Group
	group.Go(func() error { return m.beats(ctx) })
	group.Go(func() error { m.pings(ctx); return nil })
	group.Go(func() error { m.delivers(ctx); return nil })
	group.Go(func() error { return notify.Watchdog(ctx, m.alive) })
	return group.Wait()
}

// Reload needs nothing: where messages go is asked of the declaration each time.
func (*messenger) Reload(context.Context, *control.App) error { return nil }

// beats keeps the file that says that the process lives, and takes it away at a stop in good
// order.
func (m *messenger) beats(ctx context.Context) error {
	app, done := m.process.App()
	heart, version := app.Heart(), app.Version()
	done()
	m.process.tells(notify.Ready())
	every(ctx, func() time.Duration { return notify.BeatEvery }, func(context.Context) {
		up, err := notify.ReadUptime()
		if err == nil {
			err = heart.Beat(notify.Beat{PID: os.Getpid(), Started: m.process.Begun(), At: m.process.Now(), Up: up, Version: version})
		}
		if err != nil {
			m.process.Log().Error("sign of life not written", "error", err)
		}
	})
	m.process.tells(notify.Stopping())
	return heart.Stop()
}

// pings calls the declared service as long as the work goes round: one that only still
// pings would be worse than one that does not.
func (m *messenger) pings(ctx context.Context) {
	every(ctx, func() time.Duration { return notify.BeatEvery }, func(ctx context.Context) {
		if !m.alive() {
			m.process.Log().Error("work does not go round: no sign of life is sent", "stuck", strings.Join(m.stuck(), ", "))
			return
		}
		app, done := m.process.App()
		defer done()
		app.SayAlive(ctx, "upkeep serve of "+app.Config.System+" since "+m.process.Begun().Format(time.RFC3339)+"\n")
	})
}

func (m *messenger) delivers(ctx context.Context) {
	every(ctx, func() time.Duration { return deliverEvery }, m.deliver)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTry)
	defer cancel()
	m.deliver(last)
}

func (m *messenger) deliver(ctx context.Context) {
	app, done := m.process.App()
	defer done()
	if err := app.Deliver(ctx); err != nil && ctx.Err() == nil {
		m.process.Log().Error("messages not delivered", "error", err)
	}
}

// patience is how long a round may take beyond the time of two: its deadlines are shorter.
const patience = 5 * time.Minute

// goesRound is told by a part that goes round every so often, when it is made and at each
// round.
func (m *messenger) goesRound(name string, every time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.due[name] = time.Now().Add(2*every + patience)
}

func (m *messenger) alive() bool { return len(m.stuck()) == 0 }

// stuck names the parts that should have gone round again.
func (m *messenger) stuck() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, due := range m.due {
		if time.Now().After(due) {
			names = append(names, name)
		}
	}
	return names
}

// tells logs that systemd could not be told where the process stands.
func (p *Process) tells(err error) {
	if err != nil {
		p.Log().Warn("systemd not told", "error", err)
	}
}
