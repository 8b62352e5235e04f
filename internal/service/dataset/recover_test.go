package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// lost is a store with copies beside it, by their names.
func lost(t *testing.T, files map[string]string) *Instance {
	t.Helper()
	env := servicetest.Env(t)
	for name, text := range files {
		path := filepath.Join(env.Base, "store", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Dir: "store", Locks: []string{"a.lock"}, Saves: map[string][]string{"leaves": {"a*.json*", "old/**"}},
		Tables: map[string]Table{"leaves": {Document: "a.json", Rows: "models/{model}", Columns: map[string]Column{"total": "integer"}, Key: []string{"model"},
			Totals: map[string]string{"tests": "sum(total)"}, Lasting: map[string]string{"model": "model"}, Created: "created", Updated: "saved",
			Invariants: map[string]string{"some": "total >= 0"}, Levels: map[string]map[string]string{"summary": {"tests": "sum(total)"}}}}}
	in, err := open(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// doc is a document of one day with the tests of models.
func doc(day string, summary string, models ...string) string {
	return `{"created": "2025-08-01", "saved": "2025-09-` + day + `T10:00:00", "summary": {"tests": ` + summary + `}, "models": {` + strings.Join(models, ", ") + `}}`
}

func wanted(from string) service.Wanted {
	return service.Wanted{From: from, Accepted: func(service.Finding) bool { return false }}
}

const gpt5, gpt9, qwen4 = `"gpt": {"total": 5}`, `"gpt": {"total": 9}`, `"qwen": {"total": 4}`

func TestTheNewestThatIsRightIsChosen(t *testing.T) {
	right := doc("03", "9", gpt5, qwen4)
	cases := map[string]struct {
		files  map[string]string
		chosen string   // "" = what is there is right
		passed []string // reasons, the newest first
	}{
		"what is there":              {map[string]string{"a.json": doc("05", "13", gpt9, qwen4), "a copy.json": right}, "", nil},
		"what is there, sums off":    {map[string]string{"a.json": doc("05", "1", gpt9, qwen4), "a copy.json": right}, "", nil},
		"nothing is there":           {map[string]string{"a copy.json": right}, "a copy.json", nil},
		"cut off":                    {map[string]string{"a.json": right[:90], "a copy.json": right}, "a copy.json", nil},
		"by content, not by name":    {map[string]string{"a.json": "", "a_20250930.json": doc("02", "9", gpt5, qwen4), "old/b/a.json": right}, "old/b/a.json", nil},
		"a copy with wrong sums":     {map[string]string{"a.json": "", "a copy.json": doc("04", "0", gpt5, qwen4), "old/x": right}, "a copy.json", nil},
		"a rule is broken":           {map[string]string{"a.json": "", "a copy.json": doc("04", "0", gpt5, qwen4, `"x": {"total": -1}`), "old/x": right}, "old/x", []string{"invariant-broken"}},
		"an empty one is newer":      {map[string]string{"a.json": "", "a_1.json": doc("04", "0"), "old/x": right}, "old/x", []string{"save-empty"}},
		"a model vanished":           {map[string]string{"a.json": "", "a_1.json": doc("04", "12", `"gpt": {"total": 12}`), "old/x": right}, "old/x", []string{"group-vanished"}},
		"what is there lost tests":   {map[string]string{"a.json": doc("05", "5", gpt5), "a_1.json": right}, "a_1.json", nil},
		"damaged ones, then a right": {map[string]string{"a.json": "", "a_1.json": doc("06", "0", "nan"), "a_2.json": doc("07", "0")[:60], "old/x": right}, "old/x", []string{"document-damaged", "document-damaged"}},
		"a clock that is wrong":      {map[string]string{"a.json": "", "a_1.json": strings.Replace(doc("01", "5", gpt5), "2025-09", "2925-09", 1), "old/x": right}, "old/x", nil},
		"locks are no copies":        {map[string]string{"a.json": "", "a.json.lock": "", "a_1.json": right}, "a_1.json", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := lost(t, c.files)
			for file := range c.files { // dates of files say nothing
				when := time.Date(2030, 1, len(file), 0, 0, 0, 0, time.UTC)
				if file == c.chosen || strings.HasPrefix(name, "a clock") {
					when = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
				}
				if err := os.Chtimes(in.path(file), when, when); err != nil {
					t.Fatal(err)
				}
			}
			steps, err := in.Recovery(t.Context(), wanted(""))
			if err != nil {
				t.Fatal(err)
			}
			chosen, passed := "", []string(nil)
			for _, s := range steps {
				if s.Op == opPut {
					chosen = s.Title.Args["name"].(string)
				} else {
					passed = append(passed, s.Title.Args["reason"].(string))
				}
			}
			if chosen != c.chosen || !slices.Equal(passed, c.passed) {
				t.Errorf("chosen %q, passed over %v; want %q, %v", chosen, passed, c.chosen, c.passed)
			}
		})
	}
}

// What a check has seen is not forgotten with the copies that held it.
func TestWhatACheckHasSeenCounts(t *testing.T) {
	in := lost(t, map[string]string{"a.json": doc("03", "9", gpt5, qwen4)})
	if _, err := in.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Format("2006-01-02T15:04:05")
	less := `{"created": "2025-08-01", "saved": "` + later + `", "models": {` + gpt5 + `}}`
	for name, text := range map[string]string{"a.json": less, "a_1.json": strings.Replace(less, `"gpt"`, `"llama"`, 1), "old/x": doc("02", "5", gpt5)} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(in.path(name)), 0o755), os.WriteFile(in.path(name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	steps, err := in.Recovery(t.Context(), wanted(""))
	if err != nil || len(steps) != 2 || steps[1].Title.Args["name"] != "old/x" {
		t.Errorf("steps %+v, %v", steps, err)
	}
}

// A copy is named by its path or the end of it, however much of it is typed.
func TestACopyIsNamed(t *testing.T) {
	in := lost(t, map[string]string{"a.json": "", "old/b/a 2.json": doc("02", "5", gpt5), "a_1.json": doc("03", "9", gpt5, qwen4)})
	for _, from := range []string{"a 2.json", "b/a 2.json", "./old/b/a 2.json", "store/old/b/a 2.json", in.path("old/b/a 2.json")} {
		steps, err := in.Recovery(t.Context(), wanted(from))
		if err != nil || len(steps) != 1 || steps[0].Title.Args["name"] != "old/b/a 2.json" {
			t.Errorf("%s: %+v, %v", from, steps, err)
		}
	}
	if _, err := in.Recovery(t.Context(), wanted("2.json")); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("a piece of a name: %v", err)
	}
}

func TestNothingIsRight(t *testing.T) {
	in := lost(t, map[string]string{"a.json": "{", "a_1.json": doc("04", "0")})
	_, err := in.Recovery(t.Context(), wanted(""))
	var fault *service.Fault
	if !errors.As(err, &fault) || fault.ID != "dataset.nothing-right" || !errors.Is(err, service.ErrNotFound) || fault.Args["n"] != 1 {
		t.Errorf("error %v: %+v", err, fault)
	}
	for from, want := range map[string]string{"a_1.json": "dataset.save-unfit", "a.json": "dataset.save-unfit", "b": "dataset.save-unknown"} {
		if _, err := in.Recovery(t.Context(), wanted(from)); !errors.As(err, &fault) || fault.ID != want {
			t.Errorf("from %s: %v", from, err)
		}
	}
	in.declare = func(context.Context, string) (Config, []service.Finding, error) {
		return Config{Tables: map[string]Table{"many": {Files: []string{"*.parquet"}}}}, nil, nil
	}
	if _, err := in.Recovery(t.Context(), wanted("")); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("of many files: %v", err)
	}
}

// chosen is the step that puts the copy of a store in its place.
func chosen(t *testing.T, in *Instance) service.Step {
	t.Helper()
	steps, err := in.Recovery(t.Context(), wanted(""))
	if err != nil || len(steps) != 1 {
		t.Fatalf("steps %+v, %v", steps, err)
	}
	return steps[0]
}

// A step that is done again, because a crash took its record, finds its work done and knows
// the way back.
func TestPutTwiceAndTakenBack(t *testing.T) {
	in := lost(t, map[string]string{"a.json": "torn", "a copy.json": doc("03", "0", gpt5, qwen4)})
	put := chosen(t, in)
	first, err := in.Recover(t.Context(), put, nil, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := in.Recover(t.Context(), put, nil, service.Report{})
	if err != nil || string(first.Result) != string(second.Result) {
		t.Errorf("again %s, %v; first %s", second.Result, err, first.Result)
	}
	if text, err := os.ReadFile(in.path("a.json")); err != nil || !strings.Contains(string(text), `"tests": 9`) {
		t.Errorf("put %s, %v", text, err)
	}
	if info, err := os.Stat(in.path("a.json")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	back, err := in.Undo(t.Context(), put, second.Result)
	if err != nil || len(back) != 1 {
		t.Fatalf("way back %+v, %v", back, err)
	}
	if _, err := in.Recover(t.Context(), back[0], nil, service.Report{}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(in.path("a.json")); err != nil || string(text) != "torn" {
		t.Errorf("taken back: %s, %v", text, err)
	}
}

func TestPutWhereNothingWas(t *testing.T) {
	in := lost(t, map[string]string{"a copy.json": doc("03", "9", gpt5, qwen4)})
	put := chosen(t, in)
	out, err := in.Recover(t.Context(), put, nil, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	if same, err := sameContent(in.path("a.json"), in.path("a copy.json")); err != nil || !same {
		t.Errorf("same %v, %v", same, err)
	}
	if again, err := in.Recover(t.Context(), put, nil, service.Report{}); err != nil || string(again.Result) != string(out.Result) {
		t.Errorf("again %s, %v", again.Result, err)
	}
	back, err := in.Undo(t.Context(), put, out.Result)
	if err != nil || len(back) != 1 {
		t.Fatalf("way back %+v, %v", back, err)
	}
	for range 2 {
		if _, err := in.Recover(t.Context(), back[0], nil, service.Report{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(in.path("a.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("taken back: %v", err)
	}
}

// A copy that changed or went since the plan was made is not put there.
func TestPutIsForTheCopyThatWasJudged(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone":    os.Remove,
		"changed": func(path string) error { return os.WriteFile(path, []byte(doc("03", "9", gpt5, qwen4)+" "), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			in := lost(t, map[string]string{"a.json": "torn", "a copy.json": doc("03", "9", gpt5, qwen4)})
			put := chosen(t, in)
			if err := harm(in.path("a copy.json")); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Recover(t.Context(), put, nil, service.Report{}); !errors.Is(err, service.ErrStale) {
				t.Errorf("error %v", err)
			}
			left, err := os.ReadDir(in.dir)
			text, read := os.ReadFile(in.path("a.json"))
			if err := errors.Join(err, read); err != nil || string(text) != "torn" || slices.ContainsFunc(left, func(e os.DirEntry) bool { return ours(e.Name()) }) {
				t.Errorf("left %v, %s, %v", left, text, err)
			}
		})
	}
}

// A table that was written anew by a step whose record a crash took knows its way back, too.
func TestRebuiltTwiceAndTakenBack(t *testing.T) {
	l := converted(t)
	l.parquet("results.parquet", brokenCopy)
	before, in := l.read("results.parquet"), l.instance()
	rebuilding := step(opRebuild, service.Reversible, "results", rebuild{Copy: "parquet", Sum: "of what was brought back"}, service.Message{})
	first, err := in.Recover(t.Context(), rebuilding, nil, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	l.agrees()
	second, err := l.instance().Recover(t.Context(), rebuilding, nil, service.Report{})
	if err != nil || string(second.Result) != string(first.Result) {
		t.Errorf("again %s, %v; first %s", second.Result, err, first.Result)
	}
	back, err := in.Undo(t.Context(), rebuilding, second.Result)
	if err != nil || len(back) == 0 {
		t.Fatalf("way back %+v, %v", back, err)
	}
	for _, s := range back {
		if _, err := in.Do(t.Context(), s, service.Report{}); err != nil {
			t.Fatal(err)
		}
	}
	if l.read("results.parquet") != before {
		t.Error("taken back, the file is another one")
	}
}
