package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/internal/tables"
)

const master = `{"version": "3.0", "created_at": "2025-08-16", "summary": {"total_tests": 10},
 "models": {
  "qwen": {"total_tests": 7, "by_prompt": {
    "cot": {"total": 3, "success": 2, "success_rate": 0.6666666666666666},
    "最优": {"total": 4, "success": 1, "success_rate": 0.25}}},
  "gpt": {"total_tests": 3, "by_prompt": {"cot": {"total": 3, "success": 3}}}}}`

// lain is a store of one document and its Parquet copy, in order.
type lain struct {
	t   *testing.T
	dir string
	env service.Env
	cfg Config
}

func lay(t *testing.T) *lain {
	t.Helper()
	env := servicetest.Env(t)
	l := &lain{t: t, dir: filepath.Join(env.Base, "store"), env: env}
	for _, dir := range []string{"incremental", "temp"} {
		if err := os.MkdirAll(filepath.Join(l.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.write("master.json", master)
	l.parquet("results.parquet", `SELECT * FROM (VALUES ('Qwen', 'cot', 3, 1, 1), ('Qwen', '最优', 4, 1, 0), ('gpt', 'cot', 3, 3, 0)) t(model, prompt, total, full_success, partial)`)
	l.cfg = l.declared()
	return l
}

func (l *lain) declared() Config {
	cfg := *Kind.NewConfig().(*Config)
	cfg.Dir = "store"
	cfg.Tables = map[string]Table{
		"leaves": {Document: "master.json", Rows: "models/{model}/by_prompt/{prompt}",
			Columns: map[string]Column{"total": "integer", "success": "integer", "success_rate": "number?"},
			Key:     []string{"model", "prompt"}, Totals: map[string]string{"tests": "sum(total)"}, Lasting: map[string]string{"model": "model"}, Created: "created_at",
			Derived: map[string]string{"success_rate": "success / total"}, Invariants: map[string]string{"within-total": "success <= total"}, Usual: map[string]string{"known-prompt": "prompt <> 'unknown'"},
			Levels: map[string]map[string]string{"models/{model}": {"total_tests": "sum(total)"}, "summary": {"total_tests": "sum(total)"}}},
		"results": {Files: []string{"results.parquet"}, Increments: Increments{Files: []string{"incremental/*.parquet"}, AtMost: 1},
			Columns: map[string]Column{"model": "text", "prompt": "text", "total": "integer", "full_success": "integer", "partial": "integer", "note": "text?"},
			Key:     []string{"model", "prompt"}, Fold: map[string]string{"model": "lower(model)"}},
	}
	cfg.Copies = map[string]Agreement{"parquet": {Source: "leaves", Copy: "results", By: []string{"model", "prompt"},
		Same: map[string]string{"sum(success)": "sum(full_success + partial)", "sum(total)": "sum(total)"}}}
	cfg.Waiting = map[string]Waiting{"temp": {Files: []string{"temp/*.json"}, AtMost: 2}}
	return cfg
}

func (l *lain) write(name, content string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(content), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lain) parquet(name, query string) {
	l.t.Helper()
	l.parquetAs(name, query, "ROW_GROUP_SIZE 100000")
}

func (l *lain) parquetAs(name, query, option string) {
	l.t.Helper()
	l.ask("COPY (" + query + ") TO '" + name + "' (FORMAT parquet, " + option + ")")
}

// ask runs a statement with files of the store by their names.
func (l *lain) ask(statement string) string {
	l.t.Helper()
	db, err := tables.Open(l.t.Context(), tables.Limits{}, nil, []string{l.dir})
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, before := range []string{"read_parquet('", "TO '"} {
		statement = strings.ReplaceAll(statement, before, before+l.dir+"/")
	}
	row, err := db.One(l.t.Context(), statement)
	if err != nil {
		l.t.Fatal(err)
	}
	return fmt.Sprint(row.Values...)
}

func (l *lain) instance() *Instance {
	l.t.Helper()
	if problems := l.cfg.Validate(); len(problems) > 0 {
		l.t.Fatal(problems)
	}
	in, err := open(l.env, l.cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return in
}

// found are the findings of a check, and fails on an error.
func (l *lain) found() (ids []string, v service.Verdict) {
	l.t.Helper()
	v, err := l.instance().Check(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range v.Findings {
		ids = append(ids, strings.TrimPrefix(f.ID, "dataset.")+" "+f.Subject)
	}
	return ids, v
}

func TestAStoreInOrder(t *testing.T) {
	ids, v := lay(t).found()
	if len(ids) > 0 {
		t.Errorf("found %v: %v", ids, v.Findings)
	}
	if v.Facts["leaves_rows"] != int64(3) || v.Facts["leaves_tests"] != int64(10) || v.Facts["results_rows"] != int64(3) {
		t.Errorf("facts %v", v.Facts)
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(l *lain)
		want string // findings, each with its subject
	}{
		{"summary", func(l *lain) { l.replace(`"summary": {"total_tests": 10}`, `"summary": {"total_tests": 0}`) }, "level-differs summary/total_tests"},
		{"no summary", func(l *lain) { l.replace(`"summary": {"total_tests": 10}`, `"other": 1`) }, "level-differs summary/total_tests"},
		{"model", func(l *lain) { l.replace(`"gpt": {"total_tests": 3`, `"gpt": {"total_tests": 57`) }, "level-differs models/{model}/total_tests"},
		{"rate", func(l *lain) { l.replace(`"success_rate": 0.25`, `"success_rate": 25`) }, "derived-differs leaves.success_rate"},
		{"invariant", func(l *lain) { l.replace(`"success": 2, "success_rate": 0.6666666666666666`, `"success": 4`) }, "invariant-broken leaves.within-total, copy-differs parquet"},
		{"unusual", func(l *lain) { l.replace(`"最优"`, `"unknown"`) }, "row-unusual leaves.known-prompt, copy-differs parquet"},
		{"type", func(l *lain) {
			l.replace(`"total": 4, "success": 1, "success_rate": 0.25`, `"total": 4, "success": "one"`)
		}, "value-type leaves.success, copy-differs parquet"},
		{"cut off", func(l *lain) { l.write("master.json", master[:120]) }, "document-damaged master.json"},
		{"gone", func(l *lain) { l.remove("results.parquet") }, "file-missing results"},
		{"torn", func(l *lain) { l.write("results.parquet", "PAR1PAR1") }, "file-damaged results.parquet"},
		{"column", func(l *lain) {
			l.parquet("results.parquet", "SELECT 'gpt' AS model, 'cot' AS prompt, 3 AS total, 3 AS full_success")
		}, "column-missing results.partial, copy-differs parquet"},
		{"twice", func(l *lain) {
			l.parquet("results.parquet", `SELECT * FROM (VALUES ('Qwen', 'cot', 3, 1, 1), ('Qwen', '最优', 4, 1, 0), ('gpt', 'cot', 2, 2, 0), ('GPT', 'cot', 1, 1, 0)) t(model, prompt, total, full_success, partial)`)
		}, "key-twice results"},
		{"null", func(l *lain) {
			l.parquet("results.parquet", `SELECT * FROM (VALUES ('Qwen', 'cot', 3, 1, 1), ('Qwen', '最优', 4, 1, 0), ('gpt', NULL, 3, 3, 0), ('gpt', NULL, 3, 3, 0)) t(model, prompt, total, full_success, partial)`)
		}, "key-null results, copy-differs parquet"},
		{"increments", func(l *lain) {
			l.parquet("incremental/a.parquet", "SELECT 'gpt' AS model, 'cot' AS prompt, 3 AS total, 3 AS full_success, 0 AS partial")
			l.parquet("incremental/b.parquet", "SELECT 'gpt' AS model")
			l.write("incremental/c.parquet", "PAR1")
		}, "increments-wait results, increment-foreign incremental/b.parquet, increment-damaged incremental/c.parquet"},
		{"waiting", func(l *lain) {
			for _, name := range []string{"a", "b", "c"} {
				l.write("temp/"+name+".json", "{}")
			}
		}, "waiting temp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lay(t)
			c.harm(l)
			if ids, v := l.found(); strings.Join(ids, ", ") != c.want {
				t.Errorf("found %v, want %s: %+v", ids, c.want, v.Findings)
			}
		})
	}
}

// at is the same store in another directory.
func (l *lain) at(dir string) *lain {
	return &lain{t: l.t, dir: dir, env: l.env, cfg: l.cfg}
}

func (l *lain) replace(was, is string) {
	l.t.Helper()
	if !strings.Contains(master, was) {
		l.t.Fatalf("the store has no %s", was)
	}
	l.write("master.json", strings.Replace(master, was, is, 1))
}

func (l *lain) remove(name string) {
	l.t.Helper()
	if err := os.Remove(filepath.Join(l.dir, name)); err != nil {
		l.t.Fatal(err)
	}
}

// What fell stays found until it is back.
func TestResultsThatAreLost(t *testing.T) {
	l := lay(t)
	l.found()
	l.write("master.json", `{"created_at": "2025-08-20", "summary": {"total_tests": 3}, "models": {"gpt": {"total_tests": 3, "by_prompt": {"cot": {"total": 3, "success": 3}}}}}`)
	const lost = "made-anew leaves, lost-anew leaves"
	for range 2 {
		if ids, v := l.found(); !strings.HasPrefix(strings.Join(ids, ", "), lost) {
			t.Errorf("found %v: %+v", ids, v.Findings)
		}
	}
	l.write("master.json", master)
	if ids, v := l.found(); len(ids) > 0 {
		t.Errorf("it is back and still found: %v: %+v", ids, v.Findings)
	}
}

// A group that lost is found although the whole has grown.
func TestAGroupThatLost(t *testing.T) {
	l := lay(t)
	l.found()
	l.replace(`"gpt": {"total_tests": 3, "by_prompt": {"cot": {"total": 3, "success": 3}}}`, `"gpt": {"total_tests": 1, "by_prompt": {"cot": {"total": 1, "success": 1}}},
		"new": {"total_tests": 9, "by_prompt": {"cot": {"total": 9, "success": 1}}}`)
	ids, v := l.found()
	if !strings.Contains(strings.Join(ids, ", "), "group-fell leaves.model") || strings.Contains(strings.Join(ids, ", "), "total-fell") {
		t.Errorf("found %v: %+v", ids, v.Findings)
	}
}

// A document that was begun empty has lost everything, at every check.
func TestADocumentThatWasBegunEmpty(t *testing.T) {
	l := lay(t)
	l.found()
	l.write("master.json", `{"summary": {"total_tests": 0}, "models": {}}`)
	const lost = "made-anew leaves, lost-anew leaves"
	for range 2 {
		ids, v := l.found()
		if !strings.HasPrefix(strings.Join(ids, ", "), lost) || v.Findings[0].Args["now"] != "" {
			t.Errorf("found %v: %+v", ids, v.Findings)
		}
	}
}

// What is declared no longer is not missed, and its record begins anew.
func TestARecordThatIsBegunAnew(t *testing.T) {
	l := lay(t)
	l.cfg.Copies = nil
	l.found()
	l.write("master.json", `{"created_at": "2025-08-16", "summary": {"total_tests": 3}, "models": {"gpt": {"total_tests": 3, "by_prompt": {"cot": {"total": 3, "success": 3}}}}}`)
	leaves := l.cfg.Tables["leaves"]
	for _, lasting := range []map[string]string{nil, {"model": "model"}} {
		leaves.Totals, leaves.Lasting = map[string]string{"tests_since": "sum(total)"}, lasting
		l.cfg.Tables["leaves"] = leaves
		if ids, v := l.found(); len(ids) > 0 {
			t.Errorf("lasting %v: found %v: %+v", lasting, ids, v.Findings)
		}
	}
}

// Larger tables are not read by a check, and that is said.
func TestACheckReadsNoMoreThanDeclared(t *testing.T) {
	l := lay(t)
	l.replace(`"gpt": {"total_tests": 3`, `"gpt": {"total_tests": 57`)
	l.cfg.ReadAtCheck = 10
	ids, v := l.found()
	if strings.Join(ids, ", ") != "not-read results, not-read master.json" {
		t.Errorf("found %v: %v", ids, v.Findings)
	}
	v, err := l.instance().Diagnose(t.Context(), service.Report{})
	if err != nil || len(v.Findings) != 1 {
		t.Errorf("the diagnosis finds %v, %v", v.Findings, err)
	}
}

func TestQueries(t *testing.T) {
	l := lay(t)
	l.write("config.json", `{"key": "hidden"}`)
	in := l.instance()
	ask := func(statement string) (rows []string, err error) {
		for row, err := range in.Query(t.Context(), statement) {
			if err != nil {
				return rows, err
			}
			var parts []string
			for i, v := range row.Values {
				parts = append(parts, row.Columns[i]+"="+fmt.Sprint(v))
			}
			rows = append(rows, strings.Join(parts, " "))
		}
		return rows, nil
	}
	rows, err := ask(`SELECT l.model, l.total, r.full_success FROM leaves l JOIN results r ON lower(r.model) = l.model AND r.prompt = l.prompt WHERE l.prompt = 'cot' ORDER BY 1`)
	if err != nil || strings.Join(rows, ";") != "model=gpt total=3 full_success=3;model=qwen total=3 full_success=1" {
		t.Errorf("got %q, %v", rows, err)
	}
	for _, statement := range []string{"SELECT * FROM read_text('" + filepath.Join(l.dir, "config.json") + "')", "DROP VIEW leaves", "SELECT 1; SELECT 2",
		"COPY leaves TO '" + filepath.Join(l.dir, "out.csv") + "'", "SELECT nothing FROM leaves"} {
		if rows, err := ask(statement); err == nil {
			t.Errorf("%s is answered: %v", statement, rows)
		}
	}
	l.write("results.parquet", "PAR1PAR1")
	if rows, err := ask("SELECT count(*) FROM results"); err == nil {
		t.Errorf("a table that cannot be read gives %v", rows)
	}
	if rows, err := ask("SELECT count(*) AS n FROM leaves"); err != nil || rows[0] != "n=3" {
		t.Errorf("the other gives %v, %v", rows, err)
	}
}

// A document that is written in place is not damaged because it was looked at meanwhile.
func TestADocumentThatIsBeingWritten(t *testing.T) {
	l := lay(t)
	l.write("master.json", master[:100])
	written := make(chan error, 1)
	go func() {
		time.Sleep(lookAgain)
		written <- os.WriteFile(filepath.Join(l.dir, "master.json"), []byte(master), 0o600)
	}()
	if ids, v := l.found(); len(ids) > 0 {
		t.Errorf("found %v: %+v", ids, v.Findings)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// Metrics are measured when a file changed, and not before.
func TestMetrics(t *testing.T) {
	l := lay(t)
	l.cfg.Metrics = map[string]Metric{"results_tests": {Table: "leaves", Value: "sum(total)"}, "results_waiting": {Table: "results", Increments: true},
		"results_none": {Table: "leaves", Value: "max(success_rate) FILTER (WHERE total > 99)"}}
	l.parquet("incremental/a.parquet", "SELECT 'gpt' AS model, 'cot' AS prompt, 3 AS total, 3 AS full_success, 0 AS partial")
	collect := func() string {
		t.Helper()
		var all []string
		err := l.instance().Collect(t.Context(), func(f *dto.MetricFamily) {
			if strings.HasPrefix(f.GetName(), "results_") {
				all = append(all, fmt.Sprint(f.GetName(), " ", f.Metric[0].GetGauge().GetValue()))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(all, ", ")
	}
	if got := collect(); got != "results_tests 10, results_waiting 1" {
		t.Errorf("got %s", got)
	}
	l.env.Dir = func(string) (string, func() error, error) { return "", nil, errors.New("nothing may be read") }
	if got := collect(); got != "results_tests 10, results_waiting 1" {
		t.Errorf("files that rest are read again: %s", got)
	}
	l.replace(`"total": 4`, `"total": 5`)
	if err := l.instance().Collect(t.Context(), func(*dto.MetricFamily) {}); err == nil {
		t.Error("a file that changed is not read")
	}
}
