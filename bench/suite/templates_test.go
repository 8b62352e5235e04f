package suite_test

import (
	"os"
	"testing"
	"time"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/internal/logs/template"
)

// Each system alone, as comparisons of log parsers do.
func TestGroupsOfEachSystemAreFound(t *testing.T) {
	systems, err := corpus.LogSystems()
	if err != nil {
		t.Fatal(err)
	}
	for _, held := range []bool{false, true} {
		for _, n := range []int{2000, 20000} {
			sum, count := 0.0, 0
			for _, s := range systems {
				if s.Held != held {
					continue
				}
				ga := accuracy(t, s, n)
				t.Logf("%-14s %6d lines: %.3f", s.Name, n, ga)
				sum, count = sum+ga, count+1
			}
			t.Logf("held aside %v, %d lines each: mean %.3f", held, n, sum/float64(count))
			if sum/float64(count) < 0.90 {
				t.Errorf("held aside %v, %d lines each: mean %.3f; want 0.90 or more", held, n, sum/float64(count))
			}
		}
	}
}

func accuracy(t *testing.T, s corpus.LogSystem, n int) float64 {
	t.Helper()
	m := template.New(template.Options{Track: true})
	var ids []template.ID
	var truth []int
	for form, line := range s.Messages(1, n) {
		ids, truth = append(ids, m.Add(line, time.Time{})), append(truth, form)
	}
	report := m.Report()
	for i, id := range ids {
		ids[i] = report.Group(id)
	}
	if os.Getenv("SHOW") == s.Name {
		for _, tm := range report.Templates {
			t.Logf("%6d %s", tm.Count, tm.Pattern)
		}
	}
	ga, err := measure.GroupAccuracy(ids, truth)
	if err != nil {
		t.Fatal(err)
	}
	return ga
}
