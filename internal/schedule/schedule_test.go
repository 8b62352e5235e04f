package schedule_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/config"
	"upkeep/internal/journal"
	"upkeep/internal/quantity"
	"upkeep/internal/schedule"
)

// memoryLedger is a ledger without a disk, for a clock that goes by itself: it keeps the
// rules of the real one.
type memoryLedger struct {
	mu    sync.Mutex
	turns []calendar.Turn
	marks map[string]calendar.Mark
}

func (l *memoryLedger) find(t calendar.Turn) int {
	return slices.IndexFunc(l.turns, func(o calendar.Turn) bool { return o.Job == t.Job && o.Due.Equal(t.Due) })
}

func (l *memoryLedger) ClaimTurns(_ context.Context, turns []calendar.Turn, _ string, marks []calendar.Mark) (claimed []calendar.Turn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range turns {
		if i := l.find(t); i < 0 {
			l.turns = append(l.turns, t)
			claimed = append(claimed, t)
		} else if l.turns[i].State == calendar.Missed && t.State != calendar.Missed {
			l.turns[i] = t
			claimed = append(claimed, t)
		}
	}
	for _, m := range marks {
		l.marks[m.Job] = m
	}
	return claimed, nil
}

func (l *memoryLedger) SaveTurn(_ context.Context, t calendar.Turn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.find(t); i >= 0 && l.turns[i].Open() {
		l.turns[i] = t
	}
	return nil
}

func (l *memoryLedger) OpenTurns(context.Context, string) (open []calendar.Turn, err error) {
	for _, t := range l.turns {
		if t.Open() {
			open = append(open, t)
		}
	}
	return open, nil
}

func (l *memoryLedger) TurnBefore(_ context.Context, _, job string, before time.Time) (due time.Time, err error) {
	for _, t := range l.turns {
		if t.Job == job && t.Due.Before(before) {
			due = later(due, later(t.Due, t.Began))
		}
	}
	return due, nil
}

func (l *memoryLedger) LastTurns(context.Context, string) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	for _, t := range l.turns {
		all[t.Job] = later(all[t.Job], later(t.Due, t.Began))
	}
	return all, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (l *memoryLedger) EndedWell(context.Context, string) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	for _, t := range l.turns {
		if t.State == calendar.Ended && t.Exit == 0 && t.Ended.After(all[t.Job]) {
			all[t.Job] = t.Ended
		}
	}
	return all, nil
}

func (l *memoryLedger) Marks(context.Context, string) (map[string]calendar.Mark, error) {
	all := map[string]calendar.Mark{}
	for name, m := range l.marks {
		all[name] = m
	}
	return all, nil
}

func (l *memoryLedger) DropMark(_ context.Context, _, job string) error {
	delete(l.marks, job)
	return nil
}

func (l *memoryLedger) ForgetTurns(context.Context, string, time.Time) error { return nil }

// day is a process on a machine whose clock starts at midnight, UTC, 1 January 2000.
type day struct {
	t      *testing.T
	ledger *memoryLedger
	offset time.Duration // of the clock on the wall
	made   int
	// takes and exits are what runs of a job do, by job.
	takes map[string]time.Duration
	exits map[string][]int // of one try after the other; then 0
}

func newDay(t *testing.T) *day {
	return &day{t: t, ledger: &memoryLedger{marks: map[string]calendar.Mark{}}, takes: map[string]time.Duration{}, exits: map[string][]int{}}
}

func (d *day) now() time.Time { return time.Now().UTC().Add(d.offset) }

func (d *day) run(ctx context.Context, t calendar.Turn) schedule.Result {
	select {
	case <-time.After(d.takes[t.Job]):
	case <-ctx.Done():
		return schedule.Result{Interrupted: true}
	}
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	if exits := d.exits[t.Job]; len(exits) > 0 {
		d.exits[t.Job] = exits[1:]
		return schedule.Result{Exit: exits[0]}
	}
	return schedule.Result{}
}

// lasts runs a process for a time.
func (d *day) lasts(jobs map[string]config.Job, queues map[string]config.Queue, span time.Duration) {
	ctx, cancel := context.WithTimeout(d.t.Context(), span)
	defer cancel()
	s := schedule.New("shop", schedule.Declared{Jobs: jobs, Queues: queues}, schedule.World{Now: d.now, Wait: time.After,
		Log: slog.New(slog.DiscardHandler), Ledger: d.ledger, Run: d.run, NewRun: func(time.Time) string { d.made++; return fmt.Sprint(d.made) }})
	if err := s.Run(ctx); err != nil {
		d.t.Fatal(err)
	}
}

// story is the ledger, a line per turn: when it was due, what became of it, when it
// began and ended.
func (d *day) story() string {
	rows := slices.Clone(d.ledger.turns)
	slices.SortFunc(rows, func(a, b calendar.Turn) int { return a.Due.Compare(b.Due) })
	var lines []string
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("15:04:05")
	}
	for _, t := range rows {
		line := fmt.Sprintf("%s %s %s %s %s", clock(t.Due), t.Job, strings.TrimSpace(string(t.State)+" "+t.Detail), clock(t.Began), clock(t.Ended))
		if t.Tries > 1 || t.Exit > 0 {
			line += fmt.Sprintf(" tries %d exit %d", t.Tries, t.Exit)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func (d *day) expect(want string) {
	d.t.Helper()
	want = strings.ReplaceAll(strings.TrimSpace(want), "\t", "")
	if got := d.story(); got != want {
		d.t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func at(t *testing.T, text string) calendar.Spec {
	t.Helper()
	s, err := calendar.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s.In(time.UTC)
}

func once(t *testing.T, text string) config.Job {
	return config.Job{At: at(t, text), Missed: "once", Do: []string{"check"}}
}

func TestTurnsRunWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		d.takes["a"] = 90 * time.Second
		d.lasts(map[string]config.Job{"a": once(t, "0 1-3 * * *")}, nil, 150*time.Minute)
		d.expect(`01:00:00 a ended 01:00:00 01:01:30
			02:00:00 a ended 02:00:00 02:01:30`)
	})
}

func TestMissedTurnsByPolicy(t *testing.T) {
	for policy, want := range map[string]string{
		"once": `01:00:00 a missed later - -
			02:00:00 a missed later - -
			03:00:00 a ended 03:30:00 03:31:00
			04:00:00 a ended 04:00:00 04:01:00`,
		"all": `01:00:00 a ended 03:30:00 03:31:00
			02:00:00 a ended 03:31:00 03:32:00
			03:00:00 a ended 03:32:00 03:33:00
			04:00:00 a ended 04:00:00 04:01:00`,
		"none": `01:00:00 a missed passed - -
			02:00:00 a missed passed - -
			03:00:00 a missed passed - -
			04:00:00 a ended 04:00:00 04:01:00`,
	} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDay(t)
				d.takes["a"] = time.Minute
				j := once(t, "hourly")
				j.Missed = policy
				jobs := map[string]config.Job{"a": j}
				d.lasts(jobs, nil, 10*time.Minute)
				time.Sleep(200 * time.Minute)
				d.lasts(jobs, nil, time.Hour)
				d.expect(want)
			})
		})
	}
}

func TestAJobThatStillRunsIsNotStartedTwice(t *testing.T) {
	for policy, want := range map[string]string{
		"once": `01:00:00 a ended 01:00:00 02:30:00
			02:00:00 a skipped running - -
			03:00:00 a started 03:00:00 -`,
		"all": `01:00:00 a ended 01:00:00 02:30:00
			02:00:00 a started 02:30:00 -
			03:00:00 a enqueued - -`,
	} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDay(t)
				d.takes["a"] = 90 * time.Minute
				j := once(t, "hourly")
				j.Missed = policy
				d.lasts(map[string]config.Job{"a": j}, nil, 190*time.Minute)
				d.expect(want)
			})
		})
	}
}

// What was killed or stopped goes on under its run; the turn that comes meanwhile is
// one too many.
func TestAnInterruptedTurnGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		d.takes["a"] = 10 * time.Minute
		jobs := map[string]config.Job{"a": once(t, "hourly")}
		d.lasts(jobs, nil, 65*time.Minute)
		d.expect(`01:00:00 a started 01:00:00 -`)
		time.Sleep(54 * time.Minute)
		d.lasts(jobs, nil, 30*time.Minute)
		d.expect(`01:00:00 a ended 01:00:00 02:09:00
			02:00:00 a skipped running - -`)
		if run := d.ledger.turns[0].Run; run != "1" || d.made != 1 {
			t.Errorf("gone on with as run %s of %d", run, d.made)
		}
	})
}

func TestRetriesWithBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		d.exits["a"], d.exits["b"], d.exits["c"] = []int{4, 3}, []int{6}, []int{4, 4, 4, 4}
		job := func(minute int) config.Job {
			j := once(t, fmt.Sprintf("%d 1 * * *", minute))
			j.Retry = config.Retry{Times: 2, Wait: quantity.Duration(time.Minute)}
			return j
		}
		d.lasts(map[string]config.Job{"a": job(0), "b": job(1), "c": job(30)}, nil, 2*time.Hour)
		d.expect(`01:00:00 a ended 01:03:00 01:03:00 tries 3 exit 0
			01:01:00 b ended 01:01:00 01:01:00 tries 1 exit 6
			01:30:00 c ended 01:33:00 01:33:00 tries 3 exit 4`)
	})
}

func TestJobsAfterOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		d.takes["backup"], d.takes["drill"] = 20*time.Minute, time.Minute
		d.exits["backup"] = []int{0, 4}
		drill, proof := once(t, "10 * * * *"), config.Job{After: []string{"backup"}, Missed: "once", Do: []string{"drill"}}
		drill.After = []string{"backup"}
		d.lasts(map[string]config.Job{"backup": once(t, "0 1-3 * * *"), "drill": drill, "proof": proof}, nil, 225*time.Minute)
		d.expect(`00:10:00 drill refused not-come - 01:10:00
			01:00:00 backup ended 01:00:00 01:20:00
			01:10:00 drill ended 01:20:00 01:21:00
			01:20:00 proof ended 01:20:00 01:20:00
			02:00:00 backup ended 02:00:00 02:20:00 tries 1 exit 4
			02:10:00 drill refused not-come - 03:10:00
			03:00:00 backup ended 03:00:00 03:20:00
			03:10:00 drill ended 03:20:00 03:21:00
			03:20:00 proof ended 03:20:00 03:20:00`)
	})
}

func TestQueuesAndPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		jobs := map[string]config.Job{}
		for i, name := range []string{"a", "b", "c", "d"} {
			j := once(t, "01:00")
			j.Queue, j.Priority = "slow", i%2
			jobs[name], d.takes[name] = j, 10*time.Minute
		}
		d.lasts(jobs, map[string]config.Queue{"slow": {Concurrency: 1}}, 2*time.Hour)
		slices.SortFunc(d.ledger.turns, func(a, b calendar.Turn) int { return a.Began.Compare(b.Began) })
		d.expect(`01:00:00 b ended 01:00:00 01:10:00
			01:00:00 d ended 01:10:00 01:20:00
			01:00:00 a ended 01:20:00 01:30:00
			01:00:00 c ended 01:30:00 01:40:00`)
	})
}

func TestJitterIsTheSameEveryDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		j := once(t, "0 1-2 * * *")
		j.Jitter = quantity.Duration(30 * time.Minute)
		d.lasts(map[string]config.Job{"a": j}, nil, 3*time.Hour)
		first, second := d.ledger.turns[0], d.ledger.turns[1]
		late := first.Began.Sub(first.Due)
		if late <= 0 || late >= 30*time.Minute || late != second.Began.Sub(second.Due) {
			t.Errorf("began %s and %s late", late, second.Began.Sub(second.Due))
		}
	})
}

// The clock is set while the process runs: forward as if nothing had run meanwhile, back
// so that nothing runs twice.
func TestTheClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		jobs := map[string]config.Job{"a": once(t, "0 */6 * * *")}
		go func() {
			time.Sleep(7 * time.Hour)
			d.offset = 24 * time.Hour
			time.Sleep(6 * time.Hour)
			d.offset = 0
		}()
		d.lasts(jobs, nil, 44*time.Hour)
		var story []string
		for _, r := range d.ledger.turns {
			story = append(story, fmt.Sprint(r.Due.Format("2 15h "), r.State))
		}
		// 30 hours passed in a moment: of five turns the newest ran. The clock went back to
		// 13:00 of the first day: 12:00 was passed over, what was missed runs when it comes
		// again, what has run does not.
		want := "1 06h ended, 1 12h missed, 1 18h ended, 2 00h ended, 2 06h ended, 2 12h ended, 2 18h ended"
		if got := strings.Join(story, ", "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		d.takes["a"], d.takes["b"] = 2*time.Hour, time.Minute
		j := once(t, "01:00")
		waits := once(t, "01:30")
		waits.After = []string{"a"}
		s := schedule.New("shop", schedule.Declared{Jobs: map[string]config.Job{"a": j, "w": waits}}, schedule.World{Now: d.now, Wait: time.After,
			Log: slog.New(slog.DiscardHandler), Ledger: d.ledger, Run: d.run, NewRun: func(time.Time) string { return "r" }})
		ctx, cancel := context.WithTimeout(t.Context(), 239*time.Minute)
		defer cancel()
		go func() {
			time.Sleep(100 * time.Minute)
			if err := s.Reload(ctx, schedule.Declared{Jobs: map[string]config.Job{"b": once(t, "hourly")}}); err != nil {
				t.Error(err)
			}
		}()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		d.expect(`01:00:00 a ended 01:00:00 03:00:00
			01:30:00 w refused undeclared - 01:40:00
			02:00:00 b ended 02:00:00 02:01:00
			03:00:00 b ended 03:00:00 03:01:00`)
		if _, stays := d.ledger.marks["a"]; stays {
			t.Error("the mark of a job that is gone stays")
		}
	})
}

// The ledger's rules, on the real one.
func TestTheJournalIsALedger(t *testing.T) {
	j, err := journal.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var _ schedule.Ledger = j
	due := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	turn := calendar.Turn{System: "shop", Job: "nightly", Due: due, State: calendar.Missed, Detail: schedule.Passed}
	claim := func(state calendar.State, want int) {
		t.Helper()
		turn.State = state
		claimed, err := j.ClaimTurns(t.Context(), []calendar.Turn{turn}, "shop", nil)
		if err != nil || len(claimed) != want {
			t.Errorf("as %s: %d claimed, %v", state, len(claimed), err)
		}
	}
	claim(calendar.Missed, 1)
	claim(calendar.Missed, 0)
	claim(calendar.Enqueued, 1) // a clock that was set back reached it again
	claim(calendar.Enqueued, 0)
	claim(calendar.Missed, 0)
	turn.State, turn.Run, turn.Ended = calendar.Ended, "run", due.Add(time.Minute)
	for range 2 {
		if err := j.SaveTurn(t.Context(), turn); err != nil {
			t.Fatal(err)
		}
		turn.Run = "another"
	}
	claim(calendar.Enqueued, 0)
	rows, err := j.Turns(t.Context(), "shop", due, due.Add(time.Second))
	if err != nil || len(rows) != 1 || rows[0].Run != "run" || rows[0].State != calendar.Ended || !rows[0].Ended.Equal(due.Add(time.Minute)) {
		t.Errorf("got %+v, %v", rows, err)
	}
	well, err := j.EndedWell(t.Context(), "shop")
	if err != nil || !well["nightly"].Equal(due.Add(time.Minute)) {
		t.Errorf("ended well: %v, %v", well, err)
	}
	if err := j.ForgetTurns(t.Context(), "shop", due.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if last, err := j.LastTurns(t.Context(), "shop"); err != nil || len(last) != 0 {
		t.Errorf("left: %v, %v", last, err)
	}
}
