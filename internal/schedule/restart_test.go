package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/config"
	"upkeep/internal/journal"
	"upkeep/internal/schedule"
)

// machine is what outlives the processes: the ledger, the runs, the clock on the wall.
type machine struct {
	*journal.Journal
	random *rand.Rand

	mu     sync.Mutex
	now    time.Time
	latest time.Time            // that the clock ever showed
	marks  map[string]time.Time // up to when the ledger says that turns of a job are known
	known  map[string][]span    // over which a mark ever went forward: every turn in it has a row
	runs   map[string]*simulated
	made   int
	steady bool // nobody sets the clock any more
}

// simulated is a run as the journal of a real one has it.
type simulated struct {
	turn  string
	ended bool
	begun int // how often a process worked on it
}

func key(t calendar.Turn) string { return t.Job + " " + t.Due.UTC().Format(time.RFC3339Nano) }

// life is one process: it dies after so many things that it did.
type life struct {
	*machine
	left    int
	dead    bool
	kill    context.CancelFunc
	working int // runs in progress, and what is being written for them
}

var errDead = errors.New("the process is dead")

// lives counts down to the death of the process, which may come before or after what is
// done now.
func (l *life) lives() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.left < 0 {
		l.dead = true
		l.kill()
	}
	return !l.dead
}

func (l *life) ClaimTurns(ctx context.Context, turns []calendar.Turn, system string, marks []calendar.Mark) ([]calendar.Turn, error) {
	if !l.lives() {
		return nil, errDead
	}
	claimed, err := l.Journal.ClaimTurns(context.WithoutCancel(ctx), turns, system, marks)
	if err == nil {
		l.marked(marks)
	}
	if !l.lives() {
		return nil, errDead
	}
	return claimed, err
}

// span is the time after from, up to to.
type span struct{ from, to time.Time }

// marked notes over which times the ledger's marks went forward.
func (m *machine) marked(marks []calendar.Mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mark := range marks {
		if before, there := m.marks[mark.Job]; there && mark.Upto.After(before) {
			m.known[mark.Job] = append(m.known[mark.Job], span{before, mark.Upto})
		}
		m.marks[mark.Job] = mark.Upto
	}
}

func (l *life) SaveTurn(ctx context.Context, t calendar.Turn) error {
	l.work(1)
	defer l.work(-1)
	if !l.lives() {
		return errDead
	}
	return l.Journal.SaveTurn(ctx, t)
}

// work tells the clock whether anything runs.
func (l *life) work(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.working += n
}

// run begins a run, or goes on with it: what a killed process had begun stays begun.
func (l *life) run(_ context.Context, t calendar.Turn) schedule.Result {
	l.work(1)
	defer l.work(-1)
	if !l.lives() {
		return schedule.Result{Interrupted: true}
	}
	l.mu.Lock()
	r := l.runs[t.Run]
	if r == nil {
		r = &simulated{turn: key(t)}
		l.runs[t.Run] = r
	}
	if !r.ended {
		r.begun++
	}
	l.mu.Unlock()
	time.Sleep(time.Duration(l.draw(200)) * time.Microsecond)
	if !l.lives() {
		return schedule.Result{Interrupted: true}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.ended = true
	return schedule.Result{}
}

func (l *life) works() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.working > 0
}

func (m *machine) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

func (m *machine) read() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *machine) set(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now = m.now.Add(by); m.now.After(m.latest) {
		m.latest = m.now
	}
}

// wait lets the time pass at once, and slowly while something runs; now and then
// somebody sets the clock.
func (l *life) wait(d time.Duration) <-chan time.Time {
	jumps := []time.Duration{24 * time.Hour, -24 * time.Hour, time.Hour, -time.Hour, 3 * time.Minute, -time.Second}
	if !l.steady && l.draw(600) == 0 {
		d = jumps[l.draw(len(jumps))]
	}
	for range 5 {
		runtime.Gosched() // what was begun just now is seen to work
	}
	if l.works() {
		d = min(d, 100*time.Millisecond)
	}
	l.set(d)
	fired := make(chan time.Time, 1)
	fired <- l.read()
	return fired
}

func (m *machine) process(t *testing.T, d schedule.Declared, left int) {
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	l := &life{machine: m, left: left, kill: kill}
	s := schedule.New("shop", d, schedule.World{Now: m.read, Wait: l.wait, Log: slog.New(slog.DiscardHandler), Ledger: l, Run: l.run,
		NewRun: func(time.Time) string {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.made++
			return fmt.Sprint("run-", m.made)
		}})
	if err := s.Run(ctx); err != nil && !errors.Is(err, errDead) && ctx.Err() == nil {
		t.Fatal(err)
	}
}

func jobs(t *testing.T, zone string) schedule.Declared {
	t.Helper()
	where, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) calendar.Spec {
		s, err := calendar.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.In(where)
	}
	return schedule.Declared{Jobs: map[string]config.Job{
		"nightly":  {At: at("02:30"), Missed: "once", Do: []string{"backup"}},
		"hourly":   {At: at("hourly"), Missed: "all", Do: []string{"check"}, Queue: "slow"},
		"quarters": {At: at("*/15 * * * *"), Missed: "none", Do: []string{"check"}, Priority: 3, Queue: "slow"},
		"six":      {At: at("every 6h"), Missed: "all", Do: []string{"check"}},
		"proof":    {After: []string{"nightly", "six"}, Do: []string{"drill"}},
	}, Queues: map[string]config.Queue{"slow": {Concurrency: 1}}}
}

// TestRestarts kills the process at a thousand moments, between any two things that it
// does, while the clock is set forward and back: no turn is run twice, none is without a
// row, and what had to run has run.
func TestRestarts(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "Asia/Shanghai"} {
		t.Run(zone, func(t *testing.T) { t.Parallel(); restarts(t, zone, 500) })
	}
}

// memory is a directory in memory where there is one: tens of thousands of commits would
// wait for the disk.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "schedule")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func restarts(t *testing.T, zone string, n int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	begin := time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC) // the clock changes in Berlin five days later
	m := &machine{random: rand.New(rand.NewPCG(seed, 1)), now: begin, latest: begin, marks: map[string]time.Time{}, known: map[string][]span{}, runs: map[string]*simulated{}}
	var err error
	if m.Journal, err = journal.Open(t.Context(), filepath.Join(memory(t), "journal.db"), time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	d := jobs(t, zone)
	m.process(t, d, 2) // the marks are set
	for range n {
		m.process(t, d, m.draw(60))
		if m.draw(5) == 0 {
			m.set(time.Duration(m.draw(90)) * time.Minute)
		}
	}
	m.steady = true
	t.Logf("%d of %s still open", m.leftOpen(t), m.read().Sub(begin))
	for m.process(t, d, 1000); m.leftOpen(t) > 0; m.process(t, d, 1000) { // all that is open comes to its end
	}
	m.judge(t, d, begin)
}

// came are the turns that a mark went over, some again and again.
func (m *machine) came(job config.Job, name string) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for _, s := range m.known[name] {
			for due := range job.At.Between(s.from, s.to) {
				if !yield(due) {
					return
				}
			}
		}
	}
}

// leftOpen is how many turns have not ended but those that are due just now.
func (m *machine) leftOpen(t *testing.T) (n int) {
	open, err := m.OpenTurns(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, turn := range open {
		if age := m.read().Sub(turn.Due); age < 0 || age > 2*time.Hour {
			n++
		}
	}
	return n
}

func (m *machine) judge(t *testing.T, d schedule.Declared, begin time.Time) {
	rows, err := m.Turns(t.Context(), "shop", begin.AddDate(-2, 0, 0), m.latest.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	known, states := map[string]calendar.Turn{}, map[string]int{}
	for _, row := range rows {
		known[key(row)] = row
		states[row.Job+" "+string(row.State)]++
	}
	worked := map[string]int{}
	for id, run := range m.runs {
		if worked[run.turn]++; worked[run.turn] > 1 {
			t.Errorf("doubled: %s, %s", run.turn, id)
		}
		if row := known[run.turn]; row.State != calendar.Ended && row.State != calendar.Started && row.State != calendar.Enqueued {
			t.Errorf("%s was run and is %s", run.turn, row.State)
		}
	}
	judged := 0
	for name, job := range d.Jobs {
		for due := range m.came(job, name) {
			judged++
			row, there := known[key(calendar.Turn{Job: name, Due: due})]
			switch {
			case !there:
				t.Errorf("lost: %s at %s", name, due)
			case row.State == calendar.Ended && !m.runs[row.Run].ended:
				t.Errorf("%s at %s ended without its run", name, due)
			case job.Missed == "all" && row.State != calendar.Ended && m.read().Sub(due) > 2*time.Hour:
				t.Errorf("%s at %s is %s", name, due, row.State)
			}
		}
	}
	if judged < 1000 {
		t.Errorf("only %d turns had to be there: this judges next to nothing", judged)
	}
	t.Logf("%d turns, %d of which had to be there, over %s, %d runs, %v", len(rows), judged, m.latest.Sub(begin), len(m.runs), strings.ReplaceAll(fmt.Sprint(states), "map", ""))
}
