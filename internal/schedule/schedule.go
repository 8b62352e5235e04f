// Package schedule decides what is due, writes it down before it begins, and has it
// run: no turn twice, and none without a word in the ledger. What a run is, it does not
// know: that comes in as a func, so a slow backup cannot delay the clock.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/config"
)

// Ledger is what outlives the process. Its methods are safe for concurrent use.
type Ledger interface {
	// ClaimTurns writes turns and marks down at once and returns the turns that nobody
	// had claimed before.
	ClaimTurns(ctx context.Context, turns []calendar.Turn, system string, marks []calendar.Mark) ([]calendar.Turn, error)
	SaveTurn(ctx context.Context, t calendar.Turn) error
	OpenTurns(ctx context.Context, system string) ([]calendar.Turn, error)
	// TurnBefore and LastTurns tell when a turn began, or was due where it did not begin.
	TurnBefore(ctx context.Context, system, job string, before time.Time) (time.Time, error)
	LastTurns(ctx context.Context, system string) (map[string]time.Time, error)
	EndedWell(ctx context.Context, system string) (map[string]time.Time, error)
	Marks(ctx context.Context, system string) (map[string]calendar.Mark, error)
	DropMark(ctx context.Context, system, job string) error
	ForgetTurns(ctx context.Context, system string, before time.Time) error
}

// Result is how a try ended.
type Result struct {
	Exit        int
	Busy        bool   // it was not begun because a lock or a queue was not free
	Interrupted bool   // the process ends: the run is gone on with by the next one
	Detail      string // ID of the error of a run that could not be recorded
}

// World is what a schedule gets from outside.
type World struct {
	Now    func() time.Time
	Wait   func(time.Duration) <-chan time.Time // as time.After
	Log    *slog.Logger
	Ledger Ledger
	NewRun func(now time.Time) string // ID of a run
	// Run runs a job to its end under the run's ID, goes on with it when that was begun
	// before, or tells what it came to when it has ended. It returns soon when ctx ends.
	Run func(ctx context.Context, t calendar.Turn) Result
	// Spread tells machines apart, for jitter; it stays the same.
	Spread string
}

// Limits of a schedule.
const (
	// look is how often the clock on the wall is read while nothing is due: somebody may
	// have set it.
	look = 5 * time.Second
	// punctual is how late a turn may be found and still be in time: a restart, or a
	// machine that stood still for a moment, makes nothing missed.
	punctual = 2 * time.Minute
	// atOnce bounds the jobs without a queue that run at the same time, so that a thousand
	// that are due together need no memory for a thousand.
	atOnce = 32
	// mostMissed is how many missed turns of one job are written down one by one.
	mostMissed = 1000
	// lifetime is how long closed turns stay in the ledger.
	lifetime = 400 * 24 * time.Hour
)

// Schedule is the turns of one system's jobs. One goroutine, Run's, owns it.
type Schedule struct {
	system string
	world  World
	jobs   map[string]*job
	names  []string             // of jobs, sorted
	well   map[string]time.Time // when the last turn of a job ended with 0
	open   []*turn              // claimed and not begun, in the order in which they would begin
	places map[string]int       // runs of a queue; "" for jobs without one

	ended    chan ended
	reloaded chan Declared
	swept    time.Time // when old turns were removed
}

// Declared is what a declaration says of jobs.
type Declared struct {
	Jobs   map[string]config.Job
	Queues map[string]config.Queue
}

// job is a declared job and where it stands.
type job struct {
	config.Job
	name    string
	places  int           // of its queue; 0 without one
	offset  time.Duration // by jitter
	mark    calendar.Mark
	next    time.Time // when something is due, jitter included; zero = never
	last    time.Time // when its last turn began, or was due where it did not
	running bool
	gone    bool // no longer declared, and still running
}

// turn is a claimed turn that has not ended.
type turn struct {
	calendar.Turn
	job   *job
	since time.Time // what it waits for must have ended well after this
	queue string    // and retry are those of the job when it began
	retry config.Retry
}

// ended is what a goroutine that ran a turn reports.
type ended struct {
	turn   *turn
	result Result
}

// New returns a schedule of what is declared.
func New(system string, d Declared, w World) *Schedule {
	s := &Schedule{system: system, world: w, jobs: map[string]*job{}, places: map[string]int{},
		ended: make(chan ended), reloaded: make(chan Declared)}
	s.declare(d)
	return s
}

// Reload puts another declaration in place of the present one. What runs goes on; what
// waits is run as it is declared now. It returns when Run has taken it, or ctx ends.
func (s *Schedule) Reload(ctx context.Context, d Declared) error {
	select {
	case s.reloaded <- d:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run goes on with what an earlier process left and does what is due until ctx ends;
// it returns when the runs have. The ledger is this process's alone for that time.
func (s *Schedule) Run(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	for {
		wake := s.world.Wait(s.step(ctx))
		select {
		case <-ctx.Done():
			s.drain()
			return nil
		case e := <-s.ended:
			s.settle(e)
			s.settleMore()
		case d := <-s.reloaded:
			s.declare(d)
			if err := s.marked(ctx); err != nil {
				s.world.Log.Error("marks of the ledger not read", "error", err)
			}
			s.refuseUndeclared(ctx)
		case <-wake:
		}
	}
}

// step does what can be done now and returns how long nothing else can.
func (s *Schedule) step(ctx context.Context) time.Duration {
	now := s.world.Now()
	if err := s.claim(ctx, now); err != nil {
		s.world.Log.Error("turns not written to the ledger; they are tried again", "error", err)
	}
	s.begin(ctx, now)
	s.sweep(ctx, now)
	return s.idle(now)
}

// idle is how long until something is due.
func (s *Schedule) idle(now time.Time) time.Duration {
	wait := look
	until := func(t time.Time) {
		if d := t.Sub(now); !t.IsZero() && d > 0 && d < wait {
			wait = d
		}
	}
	for _, j := range s.jobs {
		until(j.next)
	}
	for _, t := range s.open {
		until(t.Began)
	}
	return wait
}

// settleMore takes what else has ended, so that many ends are one step.
func (s *Schedule) settleMore() {
	for {
		select {
		case e := <-s.ended:
			s.settle(e)
		default:
			return
		}
	}
}

// drain waits for what runs: its context has ended too.
func (s *Schedule) drain() {
	for s.busy() > 0 {
		s.settle(<-s.ended)
	}
}

func (s *Schedule) busy() (n int) {
	for _, j := range s.jobs {
		if j.running {
			n++
		}
	}
	return n
}

func (s *Schedule) sweep(ctx context.Context, now time.Time) {
	if now.Sub(s.swept) < 24*time.Hour && !now.Before(s.swept) {
		return
	}
	s.swept = now
	if err := s.world.Ledger.ForgetTurns(ctx, s.system, now.Add(-lifetime)); err != nil {
		s.world.Log.Warn("old turns not removed from the ledger", "error", err)
	}
}
