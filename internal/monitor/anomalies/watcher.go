// Package anomalies watches the series that declared expressions give: each has a
// baseline of its own, learnt from the samples that are kept and minute by minute from
// then on. It says what is unusual and alerts nobody.
package anomalies

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"upkeep/internal/baseline"
)

// Declared is one expression to watch.
type Declared struct {
	Name, Expr  string
	FalseAlarms float64 // per second and series that are put up with
}

// Ask gives the values of an expression from one minute to another, a series after the
// other, each in order of time.
type Ask func(ctx context.Context, expr string, from, to time.Time, step time.Duration,
	give func(labels map[string]string, at time.Time, value float64)) error

// Series is how one series stands.
type Series struct {
	Name     string    `json:"name"`   // of the expression
	Series   string    `json:"series"` // its labels: {instance="db"}
	Learning bool      `json:"learning"`
	Value    float64   `json:"value"`
	Low      float64   `json:"low"` // within which it was expected; without meaning while Learning
	High     float64   `json:"high"`
	Since    time.Time `json:"since,omitzero"` // of the anomaly that goes on
	At       time.Time `json:"at"`             // of the value
}

const (
	step = time.Minute
	// piece is how much of the past is asked for at once: more would be held in memory.
	piece = 6 * time.Hour
	// most is how many series of an expression are watched: each takes some 17 kB.
	most = 200
	// forgotten is after how long a series that is no more is forgotten.
	forgotten = 5 * 7 * 24 * time.Hour
)

// Watcher watches. Its methods are safe for concurrent use.
type Watcher struct {
	path string // of the state
	ask  Ask
	log  *slog.Logger

	mu      sync.Mutex
	zone    *time.Location
	reach   time.Duration // how far back samples are kept
	watched []*expression
	saved   time.Time
}

// expression is one that is watched.
type expression struct {
	Declared
	asked  time.Time // the last minute that was asked for
	series map[string]*member
	failed string // why it gave nothing, or not all; empty = it gave all
}

// member is one of its series.
type member struct {
	baseline *baseline.Series
	last     Series
}

// Open takes up where the state at path ends. One that cannot be read is made anew, and
// that is logged: nothing is judged until enough was learnt again.
func Open(path string, ask Ask, log *slog.Logger) *Watcher {
	w := &Watcher{path: path, ask: ask, log: log, zone: time.Local}
	if err := w.load(); err != nil {
		log.Warn("what was learnt of the watched series is lost and is learnt anew", "path", path, "error", err)
		w.watched = nil
	}
	return w
}

// Declare takes the expressions in place of those before. Whoever is among both goes on.
func (w *Watcher) Declare(declared []Declared, zone *time.Location, reach time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.watched
	w.zone, w.reach, w.watched = zone, reach, nil
	for _, d := range declared {
		e := &expression{Declared: d, series: map[string]*member{}}
		if i := slices.IndexFunc(before, func(known *expression) bool { return known.Declared == d }); i >= 0 {
			e = before[i]
		}
		w.watched = append(w.watched, e)
	}
}

// Round looks at every minute since the last round. The first one reads all samples that
// are kept, which takes a while.
func (w *Watcher) Round(ctx context.Context, now time.Time) {
	for _, e := range w.declared() {
		if err := w.catchUp(ctx, e, now.Truncate(step)); err != nil && ctx.Err() == nil {
			w.fail(e, err.Error())
		}
	}
}

func (w *Watcher) declared() []*expression {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.watched)
}

func (w *Watcher) fail(e *expression, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.failed = why
}

// catchUp asks for what has passed, a piece at a time.
func (w *Watcher) catchUp(ctx context.Context, e *expression, now time.Time) error {
	w.mu.Lock()
	if e.asked.After(now) { // the clock was set back
		e.asked = now.Add(-step)
	}
	from := e.asked.Add(step)
	if earliest := now.Add(-w.reach); from.Before(earliest) {
		from = earliest
	}
	w.mu.Unlock()
	for !from.After(now) && ctx.Err() == nil {
		to := from.Add(piece)
		if to.After(now) {
			to = now
		}
		left := map[string]bool{}
		err := w.ask(ctx, e.Expr, from, to, step, func(labels map[string]string, at time.Time, value float64) {
			w.take(e, labels, at, value, left)
		})
		if err != nil {
			return err
		}
		w.asked(e, to, len(left))
		from = to.Add(step)
	}
	return ctx.Err()
}

func (w *Watcher) asked(e *expression, to time.Time, left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.asked, e.failed = to, ""
	if left > 0 {
		e.failed = fmt.Sprintf("it gives %d series, of which %d are watched", left+len(e.series), len(e.series))
	}
	maps.DeleteFunc(e.series, func(_ string, m *member) bool { return to.Sub(m.last.At) > forgotten })
}

// take has one value judged and learnt. Series beyond the most are counted in left.
func (w *Watcher) take(e *expression, labels map[string]string, at time.Time, value float64, left map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := text(labels)
	m, known := e.series[key]
	if !known && len(e.series) >= most {
		left[key] = true
		return
	}
	if !known {
		m = &member{baseline: baseline.New(e.FalseAlarms, w.zone)}
		e.series[key] = m
	}
	v := m.baseline.Observe(at, value)
	m.last = Series{Name: e.Name, Series: key, Learning: v.Learning, Value: v.Value, Low: v.Low, High: v.High, Since: v.Since, At: at}
}

// text is how labels are written, without the name of the metric: the declared one
// stands for it.
func text(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "__name__" {
			all = append(all, name+"="+strconv.Quote(labels[name]))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "{" + strings.Join(all, ",") + "}"
}

// Series says how every series stands, by name.
func (w *Watcher) Series() []Series {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := []Series{}
	for _, e := range w.watched {
		for _, key := range slices.Sorted(maps.Keys(e.series)) {
			all = append(all, e.series[key].last)
		}
	}
	return all
}

// recent is how old the value of a series may be that is still called unusual.
const recent = 10 * time.Minute

// Unusual lists the series that are unusual at a time, at most so many.
func (w *Watcher) Unusual(now time.Time, most int) []Series {
	unusual := slices.DeleteFunc(w.Series(), func(s Series) bool { return s.Since.IsZero() || now.Sub(s.At) > recent })
	slices.SortStableFunc(unusual, func(a, b Series) int { return a.Since.Compare(b.Since) })
	return unusual[:min(len(unusual), most)]
}

// Failed says by name which expressions gave nothing, or not all, and why.
func (w *Watcher) Failed() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	failed := map[string]string{}
	for _, e := range w.watched {
		if e.failed != "" {
			failed[e.Name] = e.failed
		}
	}
	return failed
}
