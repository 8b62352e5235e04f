package pilotbench

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
	lab "upkeep/lab/results"
)

func summed(t *testing.T, in service.Summarizer) service.Summary {
	t.Helper()
	all, err := in.Summarize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d summaries", len(all))
	}
	return all[0]
}

// Every version tells the same tests and successes, by what it has.
func TestEveryVersionIsSummedUp(t *testing.T) {
	for version, dimensions := range map[string]string{"1.0": "model prompt_type difficulty", "2.0": "model", "3.0": "model prompt_type difficulty tool_success_rate"} {
		t.Run(version, func(t *testing.T) {
			_, in, truth := made(t, lab.Shape{JSON: version, Models: 4})
			s := summed(t, in)
			all := s.Table().Groups[0]
			if all.Trials != truth.Tests || all.Successes != truth.Success || all.Counts[0] != truth.Partial || strings.Join(s.By, " ") != dimensions {
				t.Errorf("by %v: %+v; truth %+v", s.By, all, truth)
			}
			if models := s.Table("model").Groups; len(models) != 4 {
				t.Errorf("models %+v", models)
			}
			for _, table := range s.Tables {
				var trials int64
				for _, g := range table.Groups {
					trials += g.Trials
				}
				if trials != truth.Tests || table.More != (service.Left{}) {
					t.Errorf("by %v: %d trials, left %+v", table.By, trials, table.More)
				}
			}
		})
	}
}

// Without the database, success of the Parquet file is counted as the database counts it.
func TestTheParquetFileAlone(t *testing.T) {
	for _, generation := range []string{"A", "C"} {
		dir, in, truth := made(t, lab.Shape{Parquet: generation, Models: 2, Rows: 1000})
		if err := os.Remove(filepath.Join(dir, master)); err != nil {
			t.Fatal(err)
		}
		if all := summed(t, in).Table().Groups[0]; all.Trials != truth.Tests || all.Successes != truth.Success {
			t.Errorf("%s: %+v, truth %+v", generation, all, truth)
		}
	}
}

func TestErrorsAndMeansOfTheNewestVersion(t *testing.T) {
	_, in, _ := made(t, lab.Shape{Models: 2})
	s := summed(t, in)
	for _, g := range s.Table("model").Groups {
		var kinds int64
		for _, n := range g.Errors {
			kinds += n
		}
		if kinds != g.AllErrors || kinds == 0 || len(g.Means) != 4 || g.Means[0] < 4 || g.Means[0] > 34 {
			t.Errorf("%+v", g)
		}
	}
	var order []string
	for _, g := range s.Table("difficulty").Groups {
		order = append(order, g.Values[0])
	}
	if strings.Join(order, " ") != "very_easy easy medium" {
		t.Errorf("difficulties %v", order)
	}
}

// A sum of what is left of a broken database would be believed.
func TestABrokenDatabaseIsNotSummedUp(t *testing.T) {
	dir, in, _ := made(t, lab.Shape{Models: 2})
	if _, err := lab.Break(dir, "truncated"); err != nil {
		t.Fatal(err)
	}
	var fault *service.Fault
	if _, err := in.Summarize(t.Context()); !errors.As(err, &fault) || fault.ID != "dataset.not-summed" {
		t.Errorf("got %v", err)
	}
}
