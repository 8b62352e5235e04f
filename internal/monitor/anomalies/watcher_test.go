package anomalies_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/bench/series"
	"upkeep/internal/monitor/anomalies"
)

const perWeek = 1 / (7 * 24 * 3600.0)

// past answers as a store of samples does: what Form makes, with something put in at
// the end.
type past struct {
	values []series.Value
	asked  int
	err    error
	many   int // series beside it
}

func newPast(weeks int) *past {
	p := &past{}
	series.Form{Noise: series.Normal, Daily: 6, Weekend: 0.4}.Make(1, time.Duration(weeks)*7*24*time.Hour, func(v series.Value) { p.values = append(p.values, v) })
	return p
}

func (p *past) ask(_ context.Context, _ string, from, to time.Time, step time.Duration, give func(map[string]string, time.Time, float64)) error {
	p.asked++
	for at := from; p.err == nil && !at.After(to); at = at.Add(step) {
		if i := int(at.Sub(series.Begin) / time.Minute); i >= 0 && i < len(p.values) {
			give(map[string]string{"__name__": "m", "instance": "db"}, at, p.values[i].Value)
		}
	}
	for i := range p.many {
		if to.Before(series.Begin) {
			break
		}
		give(map[string]string{"i": fmt.Sprint(i)}, to, 1)
	}
	return p.err
}

var declared = []anomalies.Declared{{Name: "load", Expr: "m", FalseAlarms: perWeek}}

func watch(t *testing.T, path string, p *past, log *bytes.Buffer) *anomalies.Watcher {
	t.Helper()
	w := anomalies.Open(path, p.ask, slog.New(slog.NewTextHandler(log, nil)))
	w.Declare(declared, time.UTC, 40*24*time.Hour)
	return w
}

func TestThePastIsLearntAndWhatIsUnusualTold(t *testing.T) {
	p, path := newPast(6), filepath.Join(t.TempDir(), "anomalies.gob")
	var log bytes.Buffer
	w := watch(t, path, p, &log)
	now := series.Begin.Add(5*7*24*time.Hour + 30*time.Second)
	w.Round(t.Context(), now)
	all := w.Series()
	if len(all) != 1 || all[0].Learning || all[0].Series != `{instance="db"}` || !all[0].At.Equal(now.Truncate(time.Minute)) || len(w.Unusual(now, 10)) != 0 {
		t.Fatalf("%+v", all)
	}
	if err := w.Save(now); err != nil {
		t.Fatal(err)
	}
	w = watch(t, path, p, &log) // another process goes on where this one was
	p.asked = 0
	now = now.Add(time.Minute)
	at := int(now.Sub(series.Begin) / time.Minute)
	p.values[at].Value += 20
	w.Round(t.Context(), now)
	unusual := w.Unusual(now, 10)
	if p.asked != 1 || len(unusual) != 1 || unusual[0].Name != "load" || !unusual[0].Since.Equal(now.Truncate(time.Minute)) || unusual[0].Value < unusual[0].High {
		t.Errorf("asked %d times: %+v", p.asked, unusual)
	}
	if later := w.Unusual(now.Add(time.Hour), 10); len(later) != 0 {
		t.Errorf("of a series that is no more: %+v", later)
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

func TestWhatIsNotWatchedIsTold(t *testing.T) {
	p := newPast(1)
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "anomalies.gob")
	if err := os.WriteFile(path, []byte("no state"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := watch(t, path, p, &log)
	if !strings.Contains(log.String(), "learnt anew") {
		t.Errorf("a damaged state: %q", log.String())
	}
	now := series.Begin.Add(time.Hour)
	p.many = 300
	w.Round(t.Context(), now)
	if why := w.Failed()["load"]; !strings.Contains(why, "301 series") || len(w.Series()) != 200 {
		t.Errorf("%d watched, %q", len(w.Series()), why)
	}
	p.many, p.err = 0, errors.New("no such function")
	w.Round(t.Context(), now.Add(time.Minute))
	if why := w.Failed()["load"]; why != "no such function" {
		t.Errorf("%q", why)
	}
	p.err = nil
	w.Round(t.Context(), now.Add(2*time.Minute))
	if len(w.Failed()) != 0 {
		t.Errorf("%v", w.Failed())
	}
}
