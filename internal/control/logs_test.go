package control_test

import (
	"context"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/logs/record"
	"upkeep/internal/service"
)

// diary is a kind with one stream of lines in memory.
type diary struct{ text string }

type page struct{ *diary }

func (page) Close() error { return nil }

func (page) Check(context.Context) (service.Verdict, error) { return service.Verdict{}, nil }

func (p page) Logs(_ context.Context, from service.Cursors) iter.Seq2[service.LogBlock, error] {
	return func(yield func(service.LogBlock, error) bool) {
		at, _ := strconv.Atoi(from["diary"])
		if at < len(p.text) {
			yield(service.LogBlock{Stream: "diary", Data: []byte(p.text[at:]), Next: strconv.Itoa(len(p.text))}, nil)
		}
	}
}

func (d *diary) kind() service.Kind {
	return service.Define("diary", func(service.Env, struct{}) (page, error) { return page{d}, nil }, []byte("findings: {}"), nil)
}

func search(t *testing.T, app *control.App, q control.LogQuery) string {
	t.Helper()
	var lines []string
	err := app.SearchLogs(t.Context(), q, func(h control.LogHit) bool {
		lines = append(lines, h.Line)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "|")
}

func TestLogsAreSearchedWhereverTheyAre(t *testing.T) {
	l := newLab(t, "", "a", "b")
	d := &diary{text: "2026-11-20 08:00:00 INFO started\n2026-11-20 09:00:00 ERROR no disk\n"}
	l.kinds["a"] = d.kind()
	app := l.open(t)
	run := submit(t, app, control.Request{Verb: "logs"})
	if run.Exit != 0 || len(run.Targets) != 1 || run.Targets[0].Facts["lines"] != int64(2) {
		t.Fatalf("exit %d: %s %v", run.Exit, describe(run), run.Targets)
	}
	d.text += "2026-11-22 01:00:00 ERROR no disk again\n2026-11-22 01:30:00 WARNING disk is back\n"
	for name, c := range map[string]struct {
		q    control.LogQuery
		want string
	}{
		"collected and live": {control.LogQuery{Pattern: regexp.MustCompile("no disk")}, "2026-11-20 09:00:00 ERROR no disk|2026-11-22 01:00:00 ERROR no disk again"},
		"since":              {control.LogQuery{Since: time.Date(2026, 11, 22, 1, 10, 0, 0, time.Local)}, "2026-11-22 01:30:00 WARNING disk is back"},
		"level":              {control.LogQuery{Level: record.Error, Targets: []string{"a"}}, "2026-11-20 09:00:00 ERROR no disk|2026-11-22 01:00:00 ERROR no disk again"},
	} {
		if got := search(t, app, c.q); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	l.later()
	if run := submit(t, app, control.Request{Verb: "logs"}); run.Targets[0].Facts["lines"] != int64(2) {
		t.Errorf("searching collected something: %v", run.Targets[0].Facts)
	}
	_, err := app.Submit(t.Context(), control.Request{Verb: "logs", Targets: []string{"b"}})
	wantProblem(t, err, "error.unsupported", engine.ExitFailed)
}
