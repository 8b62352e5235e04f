package dataset_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/dataset"
	"upkeep/internal/service/servicetest"
)

func summarize(t *testing.T, lines string, r dataset.Report) service.Summary {
	t.Helper()
	env := servicetest.Env(t)
	if err := os.WriteFile(filepath.Join(env.Base, "r.jsonl"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := dataset.Kind.NewConfig().(*dataset.Config)
	cfg.Dir = "."
	r.Table, r.Trials, r.Successes = "r", "sum(total)", "sum(success)"
	cfg.Tables = map[string]dataset.Table{"r": {Files: []string{"r.jsonl"}, Key: []string{"model"}, Fold: map[string]string{"model": "lower(model)"},
		Columns: map[string]dataset.Column{"model": "text?", "rate": "number?", "level": "text?", "total": "integer", "success": "integer", "turns": "number?", "slow": "integer?"}}}
	cfg.Reports = map[string]dataset.Report{"results": r}
	if p := cfg.Validate(); len(p) > 0 {
		t.Fatal(p)
	}
	in, err := dataset.Kind.Open(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	all, err := in.(service.Summarizer).Summarize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func values(table service.SummaryTable) (all []string) {
	for _, g := range table.Groups {
		all = append(all, strings.Join(g.Values, " "))
	}
	return all
}

func TestResultsBySeveralDimensions(t *testing.T) {
	s := summarize(t, `{"model":"B","rate":10,"level":"hard","total":4,"success":1,"turns":2,"slow":1}
{"model":"b","rate":9,"level":"easy","total":6,"success":5,"turns":7}
{"model":"a","rate":9,"level":"easy","total":10,"success":0}
{"model":null,"rate":null,"level":"odd","total":1,"success":1,"slow":2}
`, dataset.Report{By: []string{"model", "level", "rate"}, Order: map[string][]string{"level": {"easy", "hard"}},
		Means: map[string]string{"turns": "sum(turns * total) / sum(total) FILTER (WHERE turns IS NOT NULL)"}, Errors: map[string]string{"slow": "sum(slow)"}})
	for _, c := range []struct {
		by   []string
		want string
	}{
		{nil, ""}, {[]string{"model"}, ",a,b"}, {[]string{"level"}, "easy,hard,odd"}, {[]string{"rate"}, ",9.0,10.0"},
		{[]string{"model", "level"}, " odd,a easy,b easy,b hard"}, {[]string{"model", "level", "rate"}, " odd ,a easy 9.0,b easy 9.0,b hard 10.0"},
	} {
		if got := strings.Join(values(s.Table(c.by...)), ","); got != c.want {
			t.Errorf("by %v: %q", c.by, got)
		}
	}
	b := s.Table("model").Groups[2]
	if b.Trials != 10 || b.Successes != 6 || b.Means[0] != 5 || b.Errors[0] != 1 || b.AllErrors != 1 {
		t.Errorf("b is %+v", b)
	}
	if a := s.Table("model").Groups[1]; !math.IsNaN(a.Means[0]) || a.Errors[0] != -1 || a.AllErrors != -1 {
		t.Errorf("what is not known of a: %+v", a)
	}
}

func TestNoResults(t *testing.T) {
	s := summarize(t, "", dataset.Report{By: []string{"model"}})
	if all := s.Table().Groups; len(s.Table("model").Groups) != 0 || len(all) > 1 || len(all) == 1 && all[0].Trials != 0 {
		t.Errorf("%+v", s)
	}
}

// More groups than a summary holds: those with the most trials stay, the rest is counted.
func TestManyGroupsAreCounted(t *testing.T) {
	var lines strings.Builder
	for i := range service.SummaryGroups + 7 {
		fmt.Fprintf(&lines, "{\"model\":\"m%05d\",\"total\":%d,\"success\":1}\n", i, i+1)
	}
	s := summarize(t, lines.String(), dataset.Report{By: []string{"model"}})
	table := s.Table("model")
	if len(table.Groups) != service.SummaryGroups || table.More != (service.Left{Groups: 7, Trials: 28}) || table.Groups[0].Values[0] != "m00007" {
		t.Errorf("%d groups, left %+v, first %+v", len(table.Groups), table.More, table.Groups[0])
	}
}

func TestReportsThatCannotBe(t *testing.T) {
	cfg := dataset.Kind.NewConfig().(*dataset.Config)
	cfg.Dir = "."
	cfg.Tables = map[string]dataset.Table{"r": {Files: []string{"r.jsonl"}, Columns: map[string]dataset.Column{"model": "text"}}}
	cfg.Reports = map[string]dataset.Report{"a": {Table: "none"}, "b": {Table: "r"}, "c": {Table: "r", By: []string{"model", "model", "x"}, Trials: "sum(", Successes: "1",
		Order: map[string][]string{"y": nil}, AllErrors: "1"}}
	var paths []string
	for _, p := range cfg.Validate() {
		paths = append(paths, p.Path)
	}
	for _, want := range []string{"reports.a.table", "reports.b.by", "reports.b", "reports.c.by", "reports.c", "reports.c.all_errors", "reports.c.trials"} {
		if !strings.Contains(" "+strings.Join(paths, " ")+" ", " "+want+" ") {
			t.Errorf("%s is not among %v", want, paths)
		}
	}
}
