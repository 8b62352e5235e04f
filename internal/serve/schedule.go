package serve

import (
	"context"
	"os"
	"strings"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/control"
	"upkeep/internal/schedule"
)

// scheduler runs jobs when they are due.
type scheduler struct {
	process *Process
	*schedule.Schedule
	done func() // gives the declaration back whose journal is the ledger
}

// Run keeps the ledger open also when another declaration is taken.
func (s *scheduler) Run(ctx context.Context) error {
	defer s.done()
	return s.Schedule.Run(ctx)
}

func newScheduler(ctx context.Context, p *Process) (part, []route, error) {
	app, done := p.App()
	ledger, err := app.Journal(ctx)
	if err != nil {
		done()
		return nil, nil, err
	}
	s := &scheduler{process: p, done: done}
	s.Schedule = schedule.New(app.Config.System, declared(app), schedule.World{Now: p.Now, Wait: p.waits, Log: p.Log(), Ledger: ledger,
		NewRun: app.NewRun, Run: s.run, Spread: machine()})
	p.scheduler = s
	return s, nil, nil
}

// waits is time.After, and tells that the schedule has gone round.
func (p *Process) waits(d time.Duration) <-chan time.Time {
	p.messenger.goesRound("schedule", d)
	return time.After(d)
}

func declared(app *control.App) schedule.Declared {
	return schedule.Declared{Jobs: app.Config.Jobs, Queues: app.Config.Queues}
}

func (*scheduler) Name() string { return "schedule" }

// run is one try of a turn, under the declaration that is in force.
func (s *scheduler) run(ctx context.Context, t calendar.Turn) schedule.Result {
	app, done := s.process.App()
	defer done()
	log := s.process.Log().With("job", t.Job, "due", t.Due, "run", t.Run)
	log.Info("job begins", "try", t.Tries)
	run, err := app.RunTurn(ctx, t)
	var r schedule.Result
	r.Exit, r.Busy, r.Interrupted, r.Detail = control.Ended(run, err)
	if r.Interrupted {
		log.Info("job is interrupted; it goes on at the next start")
		return r
	}
	if err != nil {
		log.Error("job not run", "error", err)
	}
	log.Info("job ended", "exit", r.Exit)
	t.Exit = r.Exit
	return r
}

// Reload takes jobs and queues as they are declared now.
func (s *scheduler) Reload(ctx context.Context, app *control.App) error {
	return s.Schedule.Reload(ctx, declared(app))
}

// machine tells this machine from others that have the same declaration.
func machine() string {
	if id, err := os.ReadFile("/etc/machine-id"); err == nil {
		return strings.TrimSpace(string(id))
	}
	name, err := os.Hostname()
	if err != nil {
		return "" // jitter is then that of every such machine
	}
	return name
}
