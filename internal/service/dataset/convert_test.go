package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"upkeep/internal/service"
)

// converted is a store whose agreement says how each of both tables is made of the other.
func converted(t *testing.T) *lain {
	t.Helper()
	l := lay(t)
	results := l.cfg.Tables["results"]
	results.Increments = Increments{Files: []string{"incremental/*.parquet"}}
	l.cfg.Tables["results"] = results
	leaves := l.cfg.Tables["leaves"]
	leaves.Beside, leaves.Fold = map[string]Column{"partial": "integer?", "seconds": "number?"}, map[string]string{"model": "lower(model)"}
	l.cfg.Tables["leaves"] = leaves
	l.agree(func(a *Agreement) {
		a.Columns = map[string]string{"total": "sum(total)", "full_success": "sum(success) - coalesce(sum(partial), 0)", "partial": "coalesce(sum(partial), 0)",
			"rate": "sum(success) / sum(total)", "seconds": "any_value(seconds)"}
		a.Back = map[string]string{"total": "sum(total)", "success": "sum(full_success + partial)", "partial": "sum(partial)"}
		a.New = map[string]map[string]string{"models/{model}": {"name": "any_value(model)"}}
	})
	return l
}

func (l *lain) agree(change func(*Agreement)) {
	a := l.cfg.Copies["parquet"]
	change(&a)
	l.cfg.Copies["parquet"] = a
}

// broken is a copy that lacks a row, has one too many, a double, other numbers, shares that
// somebody stored as whole numbers, and columns of its own.
const brokenCopy = `SELECT model, prompt, total::INTEGER AS total, full_success, partial, 0::BIGINT AS rate, note, n AS seconds FROM (VALUES
	('QWEN', 'cot', 3, 1, 0, 'older', 1.5), ('Qwen', 'cot', 9, 1, 0, 'kept', 2.5), ('gpt', 'cot', 3, 3, 0, NULL, NULL), ('gone', 'cot', 1, 1, 0, 'lost', NULL), (NULL, 'cot', 1, 1, 0, 'nobody', NULL))
	t(model, prompt, total, full_success, partial, note, n)`

func (l *lain) convert(to string) ([]service.Step, error) {
	l.t.Helper()
	return l.instance().Curate(l.t.Context(), service.Work{Care: service.Convert, To: to})
}

func (l *lain) mustConvert(to string) service.Step {
	l.t.Helper()
	steps, err := l.convert(to)
	if err != nil || len(steps) != 1 {
		l.t.Fatalf("planned %+v, %v", steps, err)
	}
	return steps[0]
}

func (l *lain) nothingDue(to string) {
	l.t.Helper()
	if steps, err := l.convert(to); err != nil || len(steps) > 0 {
		l.t.Errorf("planned %+v, %v", steps, err)
	}
}

func (l *lain) agrees() {
	l.t.Helper()
	ids, v := l.found()
	if slices.ContainsFunc(ids, func(id string) bool {
		return strings.HasPrefix(id, "copy-differs") || strings.HasPrefix(id, "level-differs")
	}) {
		l.t.Errorf("found %v: %+v", ids, v.Findings)
	}
}

func (l *lain) listed(file string) string {
	l.t.Helper()
	return l.ask("SELECT string_agg(concat_ws(' ', model, prompt, total, full_success, partial, round(rate, 2), note, seconds), '; ' ORDER BY model, prompt) FROM read_parquet('" + file + "')")
}

func TestACopyMadeOfItsSource(t *testing.T) {
	l := converted(t)
	l.parquet("results.parquet", brokenCopy)
	if err := os.Chmod(filepath.Join(l.dir, "results.parquet"), 0o640); err != nil {
		t.Fatal(err)
	}
	before := l.read("results.parquet")
	step := l.mustConvert("")
	told := fmt.Sprint(step.Title.Args["in"], step.Title.Args["before"], step.Title.Args["new"], step.Title.Args["changed"], step.Title.Args["alone"], step.Title.Args["doubled"], step.Title.Args["after"])
	if told != "3 5 1 2 2 1 3" {
		t.Errorf("planned %s: %v", told, step.Title.Args)
	}
	out := l.do(step)
	l.agrees()
	l.nothingDue("")
	if got := l.listed("results.parquet"); got != "Qwen cot 3 2 0 0.67 kept 2.5; gpt cot 3 3 0 1.0; qwen 最优 4 1 0 0.25" {
		t.Errorf("it holds %s", got)
	}
	if types := l.ask("SELECT typeof(total), typeof(rate) FROM read_parquet('results.parquet') LIMIT 1"); types != "INTEGERDOUBLE" {
		t.Errorf("of types %s", types)
	}
	if out.Verdict.Facts["results_rows_dropped"] != int64(2) || out.Verdict.Facts["results_rows_doubled"] != int64(1) || out.Verdict.Facts["results_why"] != "not in leaves" {
		t.Errorf("it says %v", out.Verdict.Facts)
	}
	if info, err := os.Stat(filepath.Join(l.dir, "results.parquet")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := l.undo(step, out); err != nil || l.read("results.parquet") != before {
		t.Errorf("undone: %v", err)
	}
}

// Where the source says nothing of a value, the copy keeps its own, and nothing is due.
func TestWhatTheSourceSaysNothingOf(t *testing.T) {
	l := converted(t)
	l.parquet("results.parquet", `SELECT * FROM (VALUES ('Qwen', 'cot', 3, 2, 0, 2.0 / 3, 9.5), ('Qwen', '最优', 4, 1, 0, 0.25, NULL), ('gpt', 'cot', 3, 3, 0, 1.0, NULL)) t(model, prompt, total, full_success, partial, rate, seconds)`)
	l.nothingDue("")
}

func TestACopyThatIsNotThere(t *testing.T) {
	for _, what := range []string{"missing", "torn"} {
		t.Run(what, func(t *testing.T) {
			l := converted(t)
			if err := os.Remove(filepath.Join(l.dir, "results.parquet")); err != nil {
				t.Fatal(err)
			}
			if what == "torn" {
				l.write("results.parquet", "PAR1 torn PAR1")
			}
			step := l.mustConvert("results")
			out := l.do(step)
			l.agrees()
			l.nothingDue("")
			if got := l.ask("SELECT count(*), sum(total), count(note) FROM read_parquet('results.parquet')"); got != "3 10 0" {
				t.Errorf("it holds %s", got)
			}
			again := l.do(step) // of a run that was killed when its work was done
			if string(again.Result) != string(out.Result) {
				t.Errorf("done again it says %s, not %s", again.Result, out.Result)
			}
			if err := l.undo(step, out); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(filepath.Join(l.dir, "results.parquet"))
			if what == "missing" && !errors.Is(err, os.ErrNotExist) || what == "torn" && string(content) != "PAR1 torn PAR1" {
				t.Errorf("after undo there is %q, %v", content, err)
			}
		})
	}
}

// A file that somebody has made where none was, or changed, stays.
func TestAConversionOfFilesThatMoved(t *testing.T) {
	for _, name := range []string{"results.parquet", "master.json"} {
		t.Run(name, func(t *testing.T) {
			l := converted(t)
			l.parquet("results.parquet", brokenCopy)
			step := l.mustConvert("")
			l.write(name, "")
			if _, err := l.instance().Do(t.Context(), step, service.Report{}); !errors.Is(err, service.ErrStale) {
				t.Errorf("done: %v", err)
			}
			if left, err := filepath.Glob(filepath.Join(l.dir, draftOf+"*")); err != nil || len(left) > 0 || l.read(name) != "" {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
	l := converted(t)
	if err := os.Rename(filepath.Join(l.dir, "results.parquet"), filepath.Join(l.dir, "temp", "aside")); err != nil {
		t.Fatal(err)
	}
	step := l.mustConvert("")
	l.write("results.parquet", "somebody's")
	if _, err := l.instance().Do(t.Context(), step, service.Report{}); !errors.Is(err, service.ErrStale) || l.read("results.parquet") != "somebody's" {
		t.Errorf("done: %v", err)
	}
}

// A step whose run was killed after the file was in place finds its work done.
func TestAConversionThatIsDoneTwice(t *testing.T) {
	for _, to := range []string{"results", "leaves"} {
		t.Run(to, func(t *testing.T) {
			l := converted(t)
			l.parquet("results.parquet", `SELECT 'gpt' AS model, 'cot' AS prompt, 5 AS total, 3 AS full_success, 1 AS partial`)
			step := l.mustConvert(to)
			first := l.do(step)
			before := l.read("results.parquet") + l.read("master.json")
			second := l.do(step)
			if string(first.Result) != string(second.Result) || l.read("results.parquet")+l.read("master.json") != before {
				t.Errorf("%s, then %s", first.Result, second.Result)
			}
			if err := l.undo(step, second); err != nil {
				t.Error(err)
			}
		})
	}
}

// A document gets the numbers of the copy, and rows that it lacks, with all that leads to
// them; what only it has stays, and every byte beside.
func TestASourceMadeOfItsCopy(t *testing.T) {
	l := converted(t)
	l.parquet("results.parquet", `SELECT * FROM (VALUES ('QWEN', 'cot', 5, 1, 2), ('Qwen', 'base', 2, 1, 0), ('new', 'cot', 6, 4, 0), ('new', 'base', 1, 1, 0), ('gpt', 'cot', 3, 3, 0)) t(model, prompt, total, full_success, partial)`)
	before := l.read("master.json")
	step := l.mustConvert("leaves")
	told := fmt.Sprint(step.Title.Args["in"], step.Title.Args["before"], step.Title.Args["new"], step.Title.Args["changed"], step.Title.Args["alone"], step.Title.Args["after"])
	if told != "5 3 3 2 1 6" {
		t.Errorf("planned %s: %v", told, step.Title.Args)
	}
	out := l.do(step)
	is := gjson.Parse(l.read("master.json"))
	for way, want := range map[string]string{
		"models.qwen.by_prompt.cot":      `{"total": 5, "success": 3, "success_rate": 0.6, "partial": 2}`,
		"models.qwen.by_prompt.最优":       `{"total": 4, "success": 1, "success_rate": 0.25}`,
		"models.qwen.by_prompt.base":     `{"partial": 0, "success": 1, "total": 2}`,
		"models.qwen.total_tests":        "11",
		"models.new":                     `{"name": "new", "by_prompt": {"base": {"partial": 0, "success": 1, "total": 1}, "cot": {"partial": 0, "success": 4, "total": 6}}, "total_tests": 7}`,
		"models.gpt.by_prompt.cot.total": "3",
		"summary.total_tests":            "21",
		"created_at":                     `"2025-08-16"`,
	} {
		if got := is.Get(way).Raw; strings.Join(strings.Fields(got), "") != strings.Join(strings.Fields(want), "") {
			t.Errorf("%s is %s, not %s", way, got, want)
		}
	}
	l.nothingDue("leaves")
	if out.Verdict.Facts["leaves_rows_kept"] != int64(1) || out.Verdict.Facts["leaves_rows_new"] != int64(3) {
		t.Errorf("it says %v", out.Verdict.Facts)
	}
	l.do(l.mustConvert("results")) // what only the document had
	l.agrees()
	l.nothingDue("")
	if err := l.undo(step, out); err != nil || l.read("master.json") != before {
		t.Errorf("undone: %v", err)
	}
}

func TestWhatIsNotConverted(t *testing.T) {
	one := `SELECT 'gpt' AS model, 'cot' AS prompt, 5 AS total, 3 AS full_success, 1 AS partial`
	for _, c := range []struct {
		name, to, reason string
		lay              func(l *lain)
	}{
		{"increments wait", "", "increments", func(l *lain) { l.parquet("incremental/a.parquet", one) }},
		{"increments wait for the source, too", "leaves", "increments", func(l *lain) { l.parquet("incremental/a.parquet", one) }},
		{"nothing says how", "", "undeclared", func(l *lain) { l.agree(func(a *Agreement) { a.Columns = nil }) }},
		{"nothing says how, back", "leaves", "undeclared", func(l *lain) { l.agree(func(a *Agreement) { a.Back = nil }) }},
		{"no copies", "", "no-copies", func(l *lain) { l.cfg.Copies = nil }},
		{"another table", "tables", "no-such-copy", func(*lain) {}},
		{"finer rows", "", "finer", func(l *lain) {
			t := l.cfg.Tables["results"]
			t.Key = []string{"model", "note"}
			l.cfg.Tables["results"] = t
		}},
		{"an empty source", "", "empty", func(l *lain) { l.write("master.json", `{"models": {}}`) }},
		{"no source", "", "missing", func(l *lain) {
			if err := os.Remove(filepath.Join(l.dir, "master.json")); err != nil {
				l.t.Fatal(err)
			}
		}},
		{"no document", "leaves", "no-document", func(l *lain) {
			if err := os.Remove(filepath.Join(l.dir, "master.json")); err != nil {
				l.t.Fatal(err)
			}
		}},
		{"half a source", "", "unreadable", func(l *lain) { l.write("master.json", master[:200]) }},
		{"a torn copy", "leaves", "unreadable", func(l *lain) { l.write("results.parquet", "PAR1 torn PAR1") }},
		{"rows without a key", "leaves", "keyless", func(l *lain) { l.parquet("results.parquet", brokenCopy) }},
		{"another meaning", "leaves", "meaning", func(l *lain) { l.agree(func(a *Agreement) { a.Provided = "full_success > partial" }) }},
		{"two places", "leaves", "unclear", func(l *lain) {
			l.write("master.json", strings.Replace(master, `"gpt": {`, `"QWEN": {"total_tests": 1, "by_prompt": {"cot": {"total": 1, "success": 1}}}, "gpt": {`, 1))
		}},
		{"other numbers", "", "disagree", func(l *lain) {
			l.agree(func(a *Agreement) {
				a.Columns = map[string]string{"full_success": "sum(success) - 1", "total": "sum(total)"}
			})
			l.parquet("results.parquet", `SELECT * FROM (VALUES ('Qwen', 'cot', 3, 1, 2), ('Qwen', '最优', 4, 0, 0), ('gpt', 'cot', 3, 2, 0)) t(model, prompt, total, full_success, partial)`)
		}},
		{"another form", "", "format", func(l *lain) {
			t := l.cfg.Tables["results"]
			t.Files, t.Increments = []string{"results.csv"}, Increments{}
			l.cfg.Tables["results"] = t
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := converted(t)
			c.lay(l)
			steps, err := l.convert(c.to)
			var fault *service.Fault
			if !errors.As(err, &fault) || fault.ID != "dataset.not-converted" || fault.Args["reason"] != c.reason || !errors.Is(err, service.ErrRefused) {
				t.Errorf("planned %+v, %v", steps, err)
			}
		})
	}
}

// What a copy has more than a source that has lost rows may be all that is left of them:
// they are dropped only where somebody names the copy.
func TestASourceThatHasLostRows(t *testing.T) {
	l := converted(t)
	if ids, _ := l.found(); slices.Contains(ids, "total-fell leaves.tests") {
		t.Fatal(ids)
	}
	l.write("master.json", `{"created_at": "2025-08-16", "summary": {"total_tests": 3}, "models": {"gpt": {"total_tests": 3, "by_prompt": {"cot": {"total": 3, "success": 3}}}}}`)
	_, err := l.convert("")
	var fault *service.Fault
	if !errors.As(err, &fault) || fault.Args["reason"] != "lost" {
		t.Errorf("planned: %v", err)
	}
	l.do(l.mustConvert("results"))
	l.agrees()
}

// An agreement that names what is not there is refused when it is read.
func TestAConversionDeclaredWrongly(t *testing.T) {
	l := converted(t)
	l.agree(func(a *Agreement) {
		a.Back = map[string]string{"nothing": "1"}
		a.New = map[string]map[string]string{"prompts/{p}": {"n": "1"}}
		a.Columns["total"] = "sum(total"
		a.Provided, a.By = "full_success >", []string{"model", "prompt", "total"}
	})
	problems := fmt.Sprint(l.cfg.Validate())
	for _, path := range []string{"copies.parquet.back.nothing", "copies.parquet.back: ", "copies.parquet.new.prompts/{p}", "copies.parquet.columns.total", "copies.parquet.provided"} {
		if !strings.Contains(problems, path) {
			t.Errorf("%s is not in %s", path, problems)
		}
	}
}
