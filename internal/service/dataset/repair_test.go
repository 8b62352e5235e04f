package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
	"upkeep/internal/tables/footer"
)

func (l *lain) read(name string) string {
	l.t.Helper()
	content, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(content)
}

// plan lists what a repair would do: "repair master.json".
func (l *lain) plan() (ids []string, steps []service.Step) {
	l.t.Helper()
	steps, err := l.instance().Curate(l.t.Context(), service.Work{Care: service.Repair})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range steps {
		ids = append(ids, s.ID)
		if reason, is := s.Title.Args["reason"]; is && s.Op == opRefuse {
			ids[len(ids)-1] += fmt.Sprintf(" (%v)", reason)
		}
	}
	return ids, steps
}

func (l *lain) do(s service.Step) service.Outcome {
	l.t.Helper()
	o, err := l.instance().Do(l.t.Context(), s, service.Report{})
	if err != nil {
		l.t.Fatalf("%s: %v", s.ID, err)
	}
	return o
}

func (l *lain) undo(s service.Step, o service.Outcome) error {
	l.t.Helper()
	back, err := l.instance().Undo(l.t.Context(), s, o.Result)
	if err != nil {
		return err
	}
	for _, s := range back {
		if _, err := l.instance().Do(l.t.Context(), s, service.Report{}); err != nil {
			return err
		}
	}
	return nil
}

// drafts are the files that a repair has left beside those that were there.
func (l *lain) drafts() (names []string) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), draftOf) {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestRepairOfADocument(t *testing.T) {
	for _, c := range []struct {
		name, was, is, worst string
		want                 string // in the document afterwards; "" = what was there before the harm
	}{
		{"summary", `"total_tests": 10}`, `"total_tests": 0}`, "summary/total_tests 0 10", ""},
		{"field", `"summary": {"total_tests": 10}`, `"summary": {"note": "最"}`, "summary/total_tests - 10", `"summary": {"note": "最", "total_tests": 10}`},
		{"no summary", `"summary": {"total_tests": 10},`, `"tests": 1.50,`, "summary/total_tests - 10", "3}}}},\n \"summary\": {\n  \"total_tests\": 10\n }}"},
		{"model", `"gpt": {"total_tests": 3`, `"gpt": {"total_tests": 57`, "models/gpt/total_tests 57 3", ""},
		{"rate", `"success_rate": 0.25`, `"success_rate": 25`, "leaves.success_rate (qwen, 最优) 25 0.25", ""},
		{"text", `"total_tests": 10}`, `"total_tests": "many"}`, "summary/total_tests - 10", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lay(t)
			l.replace(c.was, c.is)
			harmed := l.read("master.json")
			ids, steps := l.plan()
			if strings.Join(ids, ", ") != "repair master.json" || steps[0].Risk != service.Reversible {
				t.Fatalf("planned %v", ids)
			}
			a := steps[0].Title.Args
			if got := fmt.Sprint(a["worst"], " ", a["before"], " ", a["after"]); got != c.worst {
				t.Errorf("the worst is %s, want %s", got, c.worst)
			}
			o := l.do(steps[0])
			if got := l.read("master.json"); c.want == "" && got != master || !strings.Contains(got, c.want) {
				t.Errorf("it is now\n%s", got)
			}
			if ids, v := l.found(); len(ids) > 0 {
				t.Errorf("still found: %v, %+v", ids, v.Findings)
			}
			if f := o.Verdict.Facts; f["rows_in"] != int64(3) || f["rows_out"] != int64(3) || f["dropped"] != int64(0) || f["changed"] != int64(1) {
				t.Errorf("facts %v", f)
			}
			if err := l.undo(steps[0], o); err != nil || l.read("master.json") != harmed {
				t.Errorf("taken back it is %v\n%s", err, l.read("master.json"))
			}
			if ids, _ := l.plan(); len(ids) != 1 || len(l.drafts()) > 0 {
				t.Errorf("planned again: %v, left %v", ids, l.drafts())
			}
		})
	}
}

// A derived column may follow from another one, and a sum from both.
func TestWhatFollowsFromWhatFollows(t *testing.T) {
	l := lay(t)
	table := l.cfg.Tables["leaves"]
	table.Columns["percent"], table.Derived["percent"] = "number?", "100 * success_rate"
	table.Levels["summary"]["best"] = "max(percent)"
	l.replace(`"success": 1, "success_rate": 0.25`, `"success": 1, "success_rate": 0.5, "percent": 75`)
	ids, steps := l.plan()
	if len(ids) != 1 || steps[0].Title.Args["places"] != int64(3) {
		t.Fatalf("planned %v: %v", ids, steps)
	}
	l.do(steps[0])
	if got := l.read("master.json"); !strings.Contains(got, `"success_rate": 0.25, "percent": 25.0`) || !strings.Contains(got, `"summary": {"total_tests": 10, "best": 25.0}`) {
		t.Errorf("it is now\n%s", got)
	}
}

// Sums without a row below them may be the only trace of what is lost.
func TestWhatNoRowGivesStays(t *testing.T) {
	l := lay(t)
	delete(l.cfg.Copies, "parquet")
	l.write("master.json", `{"created_at": "2025-08-16", "summary": {"total_tests": 4982}, "models": {"gpt": {"total_tests": 57, "by_prompt": {}}}}`)
	ids, steps := l.plan()
	if strings.Join(ids, ", ") != "refuse master.json (nothing-gives-it)" {
		t.Fatalf("planned %v", ids)
	}
	o := l.do(steps[0])
	if len(o.Verdict.Findings) != 1 || o.Verdict.Findings[0].ID != "dataset.not-mended" {
		t.Errorf("got %+v", o.Verdict)
	}
	l.write("master.json", `{"created_at": "2025-08-16", "test_groups": {"a": {"statistics": {"total": 3}}}}`)
	if ids, _ := l.plan(); len(ids) > 0 {
		t.Errorf("another version gets %v", ids)
	}
}

func TestSalvageOfADocument(t *testing.T) {
	for _, c := range []struct{ name, text, plan, want string }{
		{"cut off", master[:strings.Index(master, `"gpt"`)+20], "salvage master.json",
			strings.Replace(master[:strings.Index(master, "},\n  \"gpt\"")], `"total_tests": 10`, `"total_tests": 7`, 1) + "}}}\n"},
		{"cut off within a model", master[:strings.Index(master, `"最优"`)+20], "salvage master.json",
			`{"version": "3.0", "created_at": "2025-08-16", "summary": {"total_tests": 3},` + "\n" + ` "models": {` + "\n" +
				`  "qwen": {"total_tests": 3, "by_prompt": {` + "\n" + `    "cot": {"total": 3, "success": 2, "success_rate": 0.6666666666666666}}}}}` + "\n"},
		{"mark", "\ufeff" + master, "salvage master.json", master + "\n"},
		{"tail", master + `"success": 3}}}}`, "salvage master.json", master + "\n"},
		{"empty", "", "refuse master.json (empty)", ""},
		{"before the first row", master[:60], "refuse master.json (nothing-readable)", master[:60]},
		{"twice", strings.Replace(master, `"gpt"`, `"qwen"`, 1), "refuse master.json (key-twice)", strings.Replace(master, `"gpt"`, `"qwen"`, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lay(t)
			delete(l.cfg.Copies, "parquet")
			l.found() // so that it is known what there was
			l.write("master.json", c.text)
			ids, steps := l.plan()
			if strings.Join(ids, ", ") != c.plan {
				t.Fatalf("planned %v", ids)
			}
			o := l.do(steps[0])
			if got := l.read("master.json"); got != c.want {
				t.Errorf("it is now\n%s\nwant\n%s", got, c.want)
			}
			if steps[0].Op == opRefuse {
				return
			}
			for _, id := range first(l.found()) {
				if strings.HasPrefix(id, "document-damaged") || strings.HasPrefix(id, "level-differs") || strings.HasPrefix(id, "derived-differs") {
					t.Errorf("still found: %s", id)
				}
			}
			if err := l.undo(steps[0], o); err != nil || l.read("master.json") != c.text {
				t.Errorf("taken back it is %v\n%s", err, l.read("master.json"))
			}
		})
	}
}

func first(ids []string, _ service.Verdict) []string { return ids }

func TestASalvageSaysWhatIsLost(t *testing.T) {
	l := lay(t)
	l.found()
	l.write("master.json", master[:strings.Index(master, `"gpt"`)])
	_, steps := l.plan()
	if kept := fmt.Sprint(steps[0].Title.Args["kept"]); kept != "[leaves 2, tests 7 / 10]" {
		t.Errorf("it says %s", kept)
	}
}

const numbers = `SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE 'm' || i % 3 END AS model, 'p' || i AS prompt, i AS total, i // 2 AS full_success, 0 AS partial,
	(CASE WHEN i IN (5, 5000) THEN 9 WHEN i = 6 THEN NULL WHEN i = 0 THEN 0 ELSE (i // 2) / i END)::FLOAT AS rate, TIMESTAMP '2025-01-01' + INTERVAL (i) SECOND AS at, [i] AS list FROM range(6000) t(i)`

// numbered is a store of a Parquet file alone, in three row groups.
func numbered(t *testing.T) *lain {
	l := lay(t)
	l.remove("master.json")
	l.cfg.Copies = nil
	delete(l.cfg.Tables, "leaves")
	table := l.cfg.Tables["results"]
	table.Columns["rate"], table.Derived = "number?", map[string]string{"rate": "coalesce(full_success / nullif(total, 0), 0)"}
	l.cfg.Tables["results"] = table
	l.parquetAs("results.parquet", numbers, "ROW_GROUP_SIZE 2048")
	return l
}

func TestRepairOfAParquetFile(t *testing.T) {
	l := numbered(t)
	was := l.read("results.parquet")
	ids, steps := l.plan()
	if strings.Join(ids, ", ") != "repair results.parquet" || steps[0].Title.Args["places"] != int64(2) {
		t.Fatalf("planned %v: %v", ids, steps)
	}
	l.parquetAs("wanted.parquet", strings.Replace(numbers, "i IN (5, 5000) THEN 9", "i = -1 THEN 9", 1), "ROW_GROUP_SIZE 2048")
	o := l.do(steps[0])
	if ids, _ := l.plan(); len(ids) > 0 {
		t.Errorf("planned again: %v", ids)
	}
	if n := l.ask("SELECT count(*) FROM (FROM read_parquet('results.parquet') EXCEPT ALL FROM read_parquet('wanted.parquet'))"); n != "0" {
		t.Errorf("%s rows are other than wanted", n)
	}
	if n := l.ask("SELECT concat(count(*), ' ', count(rate), ' ', any_value(typeof(rate)), ' ', count(DISTINCT list)) FROM read_parquet('results.parquet')"); n != "6000 5999 FLOAT 6000" {
		t.Errorf("got %s", n)
	}
	if err := l.undo(steps[0], o); err != nil || l.read("results.parquet") != was {
		t.Errorf("taken back it is another: %v", err)
	}
}

func TestSalvageOfAParquetFile(t *testing.T) {
	l := numbered(t)
	content := []byte(l.read("results.parquet"))
	copy(content[100:], strings.Repeat("\xff", 200))
	l.write("results.parquet", string(content))
	ids, steps := l.plan()
	if strings.Join(ids, ", ") != "salvage results.parquet" {
		t.Fatalf("planned %v", ids)
	}
	if got := fmt.Sprint(steps[0].Title.Args["groups"], steps[0].Title.Args["rows"], steps[0].Title.Args["lost"]); got != "[0 (2048)] 3952 2048" {
		t.Errorf("it says %s", got)
	}
	o := l.do(steps[0])
	if f := o.Verdict.Facts; f["rows_in"] != int64(6000) || f["rows_out"] != int64(3952) || f["dropped"] != int64(2048) || f["why"] != "damaged-pages" {
		t.Errorf("facts %v", f)
	}
	if n := l.ask("SELECT concat(count(*), ' ', min(total), ' ', count(*) FILTER (rate = 9)) FROM read_parquet('results.parquet')"); n != "3952 2048 0" {
		t.Errorf("it holds %s", n)
	}
	if err := l.undo(steps[0], o); err != nil || l.read("results.parquet") != string(content) {
		t.Errorf("taken back it is another: %v", err)
	}
	l.write("results.parquet", string(content[:len(content)-100]))
	if ids, _ := l.plan(); strings.Join(ids, ", ") != "refuse results.parquet (torn)" {
		t.Errorf("a torn one gets %v", ids)
	}
}

func TestAChangedFileIsStale(t *testing.T) {
	l := lay(t)
	l.replace(`"total_tests": 10}`, `"total_tests": 0}`)
	_, steps := l.plan()
	l.replace(`"total_tests": 10}`, `"total_tests": 1}`)
	newer := l.read("master.json")
	if _, err := l.instance().Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrStale) {
		t.Errorf("done with %v", err)
	}
	_, steps = l.plan()
	o := l.do(steps[0])
	l.replace(`"total_tests": 10}`, `"total_tests": 11}`)
	if err := l.undo(steps[0], o); !errors.Is(err, service.ErrStale) || newer == l.read("master.json") {
		t.Errorf("taken back: %v", err)
	}
}

// A writer that comes between the last look and the exchange keeps what it wrote.
func TestWhatIsSavedInBetweenStays(t *testing.T) {
	l := lay(t)
	was, err := stateOf(filepath.Join(l.dir, "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	l.write("newer", "newer")
	l.write("draft", "draft")
	path := filepath.Join(l.dir, "master.json")
	if err := os.Rename(filepath.Join(l.dir, "newer"), path); err != nil {
		t.Fatal(err)
	}
	if err := exchange(path, filepath.Join(l.dir, "draft"), was); !errors.Is(err, service.ErrStale) || l.read("master.json") != "newer" {
		t.Errorf("got %v, and it is %s", err, l.read("master.json"))
	}
}

// Cut off anywhere, a step either has done nothing or finds its work done.
func TestAStepThatIsCutOff(t *testing.T) {
	start := func(t *testing.T) (l *lain, s service.Step, harmed string) {
		l = lay(t)
		l.replace(`"total_tests": 10}`, `"total_tests": 0}`)
		_, steps := l.plan()
		return l, steps[0], l.read("master.json")
	}
	t.Run("before the original is kept", func(t *testing.T) {
		l, s, harmed := start(t)
		l.write(keptIn, "in the way")
		if _, err := l.instance().Do(t.Context(), s, service.Report{}); err == nil || l.read("master.json") != harmed || len(l.drafts()) > 0 {
			t.Errorf("got %v, left %v", err, l.drafts())
		}
		l.remove(keptIn)
		l.do(s)
	})
	t.Run("while a draft is written", func(t *testing.T) {
		l, s, _ := start(t)
		l.write(draftOf+"2-master.json", "half")
		l.do(s)
		if l.read("master.json") != master || len(l.drafts()) > 0 {
			t.Errorf("it is %s, left %v", l.read("master.json"), l.drafts())
		}
	})
	t.Run("after the original is kept", func(t *testing.T) {
		l, s, harmed := start(t)
		if _, err := l.instance().keep(filepath.Join(l.dir, "master.json")); err != nil {
			t.Fatal(err)
		}
		o := l.do(s)
		if l.read("master.json") != master {
			t.Errorf("it is %s", l.read("master.json"))
		}
		if kept, err := os.ReadDir(filepath.Join(l.dir, keptIn)); err != nil || len(kept) != 1 {
			t.Errorf("kept are %v, %v", kept, err)
		}
		if err := l.undo(s, o); err != nil || l.read("master.json") != harmed {
			t.Error(err)
		}
	})
	t.Run("before the original lost its second name", func(t *testing.T) {
		l, s, harmed := start(t)
		o := l.do(s)
		var done replaced
		if err := json.Unmarshal(o.Result, &done); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(l.dir, done.Kept), filepath.Join(l.dir, draftOf+"2-master.json")); err != nil {
			t.Fatal(err)
		}
		again := l.do(s)
		if len(l.drafts()) > 0 || l.read(done.Kept) != harmed {
			t.Errorf("left %v; the original is %s", l.drafts(), l.read(done.Kept))
		}
		if err := l.undo(s, again); err != nil || l.read("master.json") != harmed {
			t.Error(err)
		}
	})
	t.Run("after which somebody wrote", func(t *testing.T) {
		l, s, _ := start(t)
		l.do(s)
		l.write("master.json", strings.Replace(master, "3.0", "3.1", 1))
		if _, err := l.instance().Do(t.Context(), s, service.Report{}); !errors.Is(err, service.ErrStale) {
			t.Errorf("done with %v", err)
		}
	})
}

func TestOriginalsAreOfNoTable(t *testing.T) {
	l := numbered(t)
	table := l.cfg.Tables["results"]
	table.Files = []string{"**/*.parquet"}
	l.cfg.Tables["results"] = table
	_, steps := l.plan()
	l.do(steps[0])
	if _, v := l.found(); v.Facts["results_rows"] != int64(6000) {
		t.Errorf("facts %v", v.Facts)
	}
}

// Row groups without a checksum are read value by value.
func TestPagesWithoutChecksums(t *testing.T) {
	l := numbered(t)
	f, err := os.Open(filepath.Join(l.dir, "results.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	p, err := parquet.OpenFile(f, int64(len(l.read("results.parquet"))))
	if err != nil {
		t.Fatal(err)
	}
	m := p.Metadata().RowGroups[1].Columns[1].MetaData
	content := []byte(l.read("results.parquet"))
	for i := m.DataPageOffset + 60; i < m.DataPageOffset+m.TotalCompressedSize; i++ {
		content[i] = 0xee
	}
	l.write("results.parquet", string(content))
	if pages, err := footer.Walk(t.Context(), filepath.Join(l.dir, "results.parquet")); err != nil {
		t.Skipf("these have checksums: %+v, %v", pages, err)
	}
	if ids, steps := l.plan(); strings.Join(ids, ", ") != "salvage results.parquet" || fmt.Sprint(steps[0].Title.Args["groups"]) != "[1 (2048)]" {
		t.Errorf("planned %v", ids)
	}
}

// Titles have words in both languages, whichever kind plans the work.
func TestTitlesHaveWords(t *testing.T) {
	c, err := catalogue.New(catalogue.Source{Prefix: Kind.Name(), Text: Kind.Text()})
	if err != nil {
		t.Fatal(err)
	}
	l := lay(t)
	l.replace(`"total_tests": 10}`, `"total_tests": 0}`)
	_, mend := l.plan()
	l.write("master.json", master[:strings.Index(master, `"gpt"`)])
	_, save := l.plan()
	l.write("master.json", "")
	_, none := l.plan()
	l = numbered(t)
	l.write("results.parquet", strings.Replace(l.read("results.parquet"), "m2", "\xff\xff", 1))
	_, groups := l.plan()
	for _, s := range slices.Concat(mend, save, none, groups) {
		for _, lang := range catalogue.Languages() {
			if title := c.Words(lang).Message(s.Title.ID, s.Title.Args); strings.ContainsAny(title, "!?<") {
				t.Errorf("%s: %s", s.ID, title)
			} else {
				t.Log(title)
			}
		}
	}
}

// Rows are numbered by the document, whatever order the database keeps them in.
func TestRepairOfALargeDocument(t *testing.T) {
	l := lay(t)
	delete(l.cfg.Copies, "parquet")
	document := func(rate func(i int) float64) string {
		var b strings.Builder
		b.WriteString(`{"summary": {"total_tests": 8200000}, "models": {"qwen": {"total_tests": 8200000, "by_prompt": {"p": {"total": 0, "success": 0}`)
		for i := range 205_000 { // more than one row group of the database
			fmt.Fprintf(&b, `, "p%d": {"total": 40, "success": %d, "success_rate": %v}`, i, i%40, rate(i))
		}
		b.WriteString("}}}}")
		return b.String()
	}
	l.write("master.json", document(func(i int) float64 {
		if i%3 == 0 {
			return 7
		}
		return float64(i%40) / 40
	}))
	_, steps := l.plan()
	l.do(steps[0])
	for i, line := range strings.Split(l.read("master.json"), "}, ") {
		var n, success int
		var rate float64
		if k, _ := fmt.Sscanf(line, `"p%d": {"total": 40, "success": %d, "success_rate": %g`, &n, &success, &rate); k == 3 && rate != float64(success)/40 {
			t.Fatalf("row %d is %s", i, line)
		}
	}
}
