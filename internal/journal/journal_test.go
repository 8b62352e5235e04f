package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

var start = time.Date(2026, 11, 22, 2, 0, 0, 123456789, time.FixedZone("", 8*3600))

// clock ticks a second per reading, so that no two records share a time.
func clock() func() time.Time {
	now := start
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func open(t *testing.T) (*journal.Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	return reopen(t, path), path
}

func reopen(t *testing.T, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), path, clock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// check returns a run whose fields all survive JSON.
func check(id string, begun time.Time) journal.Run {
	return journal.Run{ID: id, System: "shop", Verb: "check", Started: begun, Args: json.RawMessage(`{"targets":["db"]}`)}
}

func target(name string, verdict service.Severity, found ...journal.Finding) journal.Target {
	return journal.Target{Target: name, Kind: "postgres", Verdict: verdict, Took: 80 * time.Millisecond,
		Findings: found, Facts: service.Facts{"version": "15.18"}}
}

func finding(id, subject string) journal.Finding {
	return journal.Finding{ID: id, Severity: service.Warning, Subject: subject, Args: service.Args{"used": 97.0}}
}

func TestAKilledRunComesBackWithWhatWasSaved(t *testing.T) {
	j, path := open(t)
	run := check("20261122T020000-7f3a", start)
	must(t, j.Begin(t.Context(), run))
	must(t, j.SaveTarget(t.Context(), run.ID, target("db", service.OK)))
	must(t, j.SaveStep(t.Context(), run.ID, journal.Step{ID: "probe", Verb: "check", Took: time.Second}))
	must(t, j.SaveTarget(t.Context(), run.ID, target("cache", service.Critical)))
	must(t, j.SaveTarget(t.Context(), run.ID, target("db", service.Warning))) // said again: replaced

	got, err := reopen(t, path).Run(t.Context(), run.ID)
	must(t, err)
	if !got.Finished.IsZero() {
		t.Errorf("a killed run is finished: %v", got.Finished)
	}
	said := ""
	for _, s := range got.Targets {
		said += fmt.Sprintf("%s=%s ", s.Target, s.Verdict)
	}
	if said != "db=warning cache=critical " || len(got.Steps) != 1 || got.Steps[0].ID != "probe" {
		t.Errorf("saved %s and steps %v", said, got.Steps)
	}
}

func TestAFinishedRunComesBackWhole(t *testing.T) {
	j, _ := open(t)
	run := check("20261122T020000-7f3a", start)
	must(t, j.Begin(t.Context(), run))
	run.Verdict, run.Exit, run.Finished = service.Critical, 1, start.Add(time.Minute)
	run.Targets = []journal.Target{target("db", service.Critical, finding("postgres.table-bloat", "orders"))}
	run.Steps = []journal.Step{{ID: "a", Verb: "check", Error: &journal.Problem{ID: "error.busy", Detail: "x", Code: 6}}}
	run.Proof = &journal.Proof{RPO: time.Hour, RTO: time.Minute, Compared: map[string]int64{"tables": 214}}
	must(t, j.Finish(t.Context(), run))

	got, err := j.Run(t.Context(), "2026")
	must(t, err)
	if asJSON(t, got) != asJSON(t, run) {
		t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, run))
	}
	if err := j.Finish(t.Context(), run); !errors.Is(err, service.ErrRefused) {
		t.Errorf("finished twice: %v", err)
	}
	if err := j.Begin(t.Context(), run); !errors.Is(err, service.ErrRefused) {
		t.Errorf("begun twice: %v", err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}

func TestRunsAreFoundByPrefix(t *testing.T) {
	j, _ := open(t)
	for i, id := range []string{"20261122T020000-7f3a", "20261122T020000-91c2", "20261123T020000-0000"} {
		run := check(id, start.Add(time.Duration(i)*time.Minute))
		if id == "20261123T020000-0000" {
			run.Parent = "20261122T020000-91c2"
		}
		must(t, j.Begin(t.Context(), run))
	}
	for name, tc := range map[string]struct{ id, want string }{
		"whole ID":               {"20261122T020000-7f3a", "20261122T020000-7f3a"},
		"unique prefix":          {"20261122T020000-9", "20261122T020000-91c2"},
		"latest is not a part":   {journal.Latest, "20261122T020000-91c2"},
		"ambiguous":              {"20261122", ""},
		"unknown":                {"2027", ""},
		"empty":                  {"", ""},
		"wildcards mean nothing": {"2026112_T", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := j.Run(t.Context(), tc.id)
			if got.ID != tc.want || (tc.want == "") != errors.Is(err, service.ErrNotFound) {
				t.Errorf("got %q, %v", got.ID, err)
			}
		})
	}
}

func TestWorkOnAnUnknownRunIsNotFound(t *testing.T) {
	j, _ := open(t)
	for name, err := range map[string]error{
		"save target": j.SaveTarget(t.Context(), "x", target("db", service.OK)),
		"save step":   j.SaveStep(t.Context(), "x", journal.Step{ID: "a"}),
		"finish":      j.Finish(t.Context(), check("x", start)),
	} {
		if !errors.Is(err, service.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h, err := j.Head(t.Context()); err != nil || h.Seq != 0 {
		t.Errorf("refused work left %d records (%v)", h.Seq, err)
	}
}

func TestRunsAreListedNewestFirstInPages(t *testing.T) {
	j, _ := open(t)
	for i := range 7 {
		run := check(fmt.Sprintf("run-%d", i), start.Add(time.Duration(i/2)*time.Minute)) // pairs start together
		if i%3 == 0 {
			run.Verb = "backup"
		}
		if i == 6 {
			run.System = "other"
		}
		must(t, j.Begin(t.Context(), run))
		must(t, j.SaveTarget(t.Context(), run.ID, target(fmt.Sprintf("t%d", i%2), service.OK)))
	}
	for name, tc := range map[string]struct {
		query journal.Query
		want  string
	}{
		"all":        {journal.Query{Limit: 3}, "run-6 run-5 run-4 | run-3 run-2 run-1 | run-0"},
		"of system":  {journal.Query{System: "shop", Limit: 4}, "run-5 run-4 run-3 run-2 | run-1 run-0"},
		"of verb":    {journal.Query{System: "shop", Verb: "backup"}, "run-3 run-0"},
		"any verb":   {journal.Query{Verb: "backup"}, "run-6 run-3 run-0"},
		"of target":  {journal.Query{Target: "t1", Limit: 2}, "run-5 run-3 | run-1"},
		"exact page": {journal.Query{Limit: 7}, "run-6 run-5 run-4 run-3 run-2 run-1 run-0"},
		"none":       {journal.Query{System: "nobody"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pages(t, j, tc.query); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
	if _, _, err := j.Runs(t.Context(), journal.Query{Before: "nobody"}); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("before an unknown run: %v", err)
	}
}

func pages(t *testing.T, j *journal.Journal, q journal.Query) string {
	t.Helper()
	var all []string
	for {
		runs, next, err := j.Runs(t.Context(), q)
		must(t, err)
		var page []string
		for _, r := range runs {
			page = append(page, r.ID)
		}
		all = append(all, strings.Join(page, " "))
		if next == "" {
			return strings.Join(all, " | ")
		}
		q.Before = next
	}
}

func TestNotesKeepTheirBodies(t *testing.T) {
	j, _ := open(t)
	must(t, j.Note(t.Context(), "shop", "password-kept", map[string]string{"by": "ops"}))
	must(t, j.Note(t.Context(), "shop", "other", nil))
	must(t, j.Note(t.Context(), "else", "password-kept", 1))
	must(t, j.Note(t.Context(), "shop", "password-kept", []int{1, 2}))
	notes, err := j.Notes(t.Context(), "shop", "password-kept")
	must(t, err)
	if len(notes) != 2 || string(notes[0].Body) != "[1,2]" || string(notes[1].Body) != `{"by":"ops"}` {
		t.Fatalf("got %+v", notes)
	}
	if !notes[1].At.Equal(start.Add(time.Second)) || notes[1].Seq != 1 {
		t.Errorf("first note is %+v", notes[1])
	}
	if empty, err := j.Notes(t.Context(), "shop", "other"); err != nil || len(empty) != 1 || string(empty[0].Body) != "null" {
		t.Errorf("got %+v, %v", empty, err)
	}
}

func TestStateIsKeptPerTarget(t *testing.T) {
	j, path := open(t)
	db, cache := j.State("shop", "db"), j.State("shop", "cache")
	must(t, db.Set(t.Context(), "cursor", "1"))
	must(t, db.Set(t.Context(), "cursor", "2"))
	must(t, cache.Set(t.Context(), "cursor", "9"))
	must(t, cache.Set(t.Context(), "cursor", ""))
	other := reopen(t, path)
	for state, want := range map[service.State]string{other.State("shop", "db"): "2", other.State("shop", "cache"): "", other.State("else", "db"): ""} {
		if got, err := state.Get(t.Context(), "cursor"); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// History makes a journal with every kind of record in it.
func history(t *testing.T, j *journal.Journal) {
	t.Helper()
	for i := range 3 {
		run := check(fmt.Sprintf("run-%d", i), start.Add(time.Duration(i)*time.Minute))
		must(t, j.Begin(t.Context(), run))
		run.Targets = []journal.Target{target("db", service.Warning, finding("postgres.table-bloat", fmt.Sprint(i/2)))}
		must(t, j.SaveTarget(t.Context(), run.ID, run.Targets[0]))
		run.Steps = []journal.Step{{ID: "a", Verb: "check"}}
		must(t, j.SaveStep(t.Context(), run.ID, run.Steps[0]))
		run.Finished = run.Started.Add(time.Second)
		must(t, j.Finish(t.Context(), run))
	}
	p := plan("vacuum")
	must(t, j.SavePlan(t.Context(), p))
	must(t, j.Approve(t.Context(), p.Digest, "ann"))
	must(t, j.Applied(t.Context(), p.Digest, "run-2"))
	must(t, j.Note(t.Context(), "shop", "signed", "x"))
}

func TestReadModelsAreRebuiltFromTheRecords(t *testing.T) {
	j, path := open(t)
	history(t, j)
	want := models(t, path)
	tamper(t, path, "UPDATE runs SET body = '{}'", "DELETE FROM findings", "DELETE FROM plans", "INSERT INTO notes VALUES (99, '', '', '', '')", "UPDATE results SET told = 0")
	if reflect.DeepEqual(models(t, path), want) {
		t.Fatal("nothing was spoilt")
	}
	must(t, j.Rebuild(t.Context()))
	if got := models(t, path); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAnswersComeFromIndexes(t *testing.T) {
	j, path := open(t)
	history(t, j)
	for name, query := range map[string]string{
		"all":        "SELECT body FROM runs ORDER BY started DESC, id DESC LIMIT 50",
		"next page":  "SELECT body FROM runs WHERE (started, id) < (1, 'x') ORDER BY started DESC, id DESC LIMIT 50",
		"of system":  "SELECT body FROM runs WHERE system = 'shop' ORDER BY started DESC, id DESC LIMIT 50",
		"of verb":    "SELECT body FROM runs WHERE system = 'shop' AND verb = 'check' ORDER BY started DESC, id DESC LIMIT 50",
		"of target":  "SELECT body FROM runs WHERE EXISTS (SELECT 1 FROM results WHERE run = runs.id AND target = 'db') ORDER BY started DESC, id DESC LIMIT 50",
		"latest":     "SELECT body FROM runs WHERE parent = '' ORDER BY started DESC, id DESC LIMIT 1",
		"prefix":     "SELECT body FROM runs WHERE id >= 'a' AND id < 'b' LIMIT 2",
		"last told":  "SELECT max(started) FROM results WHERE system = 'a' AND verb = 'b' AND target = 'c' AND told = 1 AND started < 5",
		"head":       "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1",
		"notes":      "SELECT body FROM notes WHERE system = 'a' AND kind = 'b' ORDER BY seq DESC",
		"row of one": "SELECT since FROM findings WHERE system = 'a' AND verb = 'b' AND target = 'c' AND id = 'd' AND subject = 'e'",
	} {
		steps := strings.Join(dump(t, path, "EXPLAIN QUERY PLAN "+query), "\n")
		if strings.Contains(steps, "TEMP B-TREE") || !strings.Contains(steps, "USING") && !strings.Contains(steps, "SCAN records") {
			t.Errorf("%s: %s", name, steps)
		}
	}
}
