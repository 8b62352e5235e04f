package web

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
)

// TestChartsAskForWhatKindsExport compares every chart with the catalogue of its kind's
// metrics, and wants words for it.
func TestChartsAskForWhatKindsExport(t *testing.T) {
	name := regexp.MustCompile(`([a-z][a-zA-Z0-9_]+)\{`)
	catalogues, err := filepath.Glob("../../service/*/metrics.tsv")
	if err != nil || len(catalogues) < 10 {
		t.Fatalf("%d catalogues: %v", len(catalogues), err)
	}
	for _, path := range catalogues {
		kind := filepath.Base(filepath.Dir(path))
		known, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gauges(kind) {
			for _, found := range name.FindAllStringSubmatch(g.expr, -1) {
				if !strings.Contains("\n"+string(known), "\n"+found[1]+"\t") {
					t.Errorf("%s: %s asks for %s, which the kind does not export", kind, g.id, found[1])
				}
			}
			if !strings.Contains(string(text), "\n  chart-"+g.id+": ") {
				t.Errorf("%s: chart-%s has no words", kind, g.id)
			}
			if got := g.of(`a"b`, "c"); !strings.Contains(got, `{system="a\"b",target="c"`) {
				t.Errorf("%s: %s", kind, got)
			}
		}
	}
}

func TestTrendHasGapsWhereSamplesAreMissing(t *testing.T) {
	end, step := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC), trendSpan/trendSteps
	var points []reading
	for _, one := range []struct {
		back  int
		value float64
	}{{6, 1}, {5, 2}, {3, 3}, {2, math.NaN()}, {1, 2}, {0, 1}} {
		points = append(points, reading{end.Add(-time.Duration(one.back) * step), one.value})
	}
	if got := (&trend{Points: points}).path(); got != "M84.0 22.0L86.0 12.0M90.0 2.0M94.0 12.0L96.0 22.0" {
		t.Error(got)
	}
	flat := []reading{{end.Add(-2 * step), 100}, {end.Add(-step), 100.5}, {end, 100}}
	if got := (&trend{Points: flat}).path(); strings.Contains(got, " 2.0") || strings.Contains(got, " 22.0") {
		t.Errorf("what hardly moves is drawn as %s", got)
	}
}

func TestTrendOfNothingIsALine(t *testing.T) {
	end, step := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC), trendSpan/trendSteps
	nothing := []reading{{end.Add(-2 * step), 0}, {end.Add(-step), 0}, {end, 0}}
	if got := (&trend{Points: nothing}).path(); got != "M92.0 12.0L94.0 12.0L96.0 12.0" {
		t.Error(got)
	}
}

func TestPointsAreJudgedByProof(t *testing.T) {
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	for want, change := range map[string]func(*Point){
		taken: func(*Point) {}, verified: func(p *Point) { p.Verified = at }, proven: func(p *Point) { p.Verified, p.Proven = at, at },
		damaged: func(p *Point) { p.Proven, p.Damaged = at, at }, incomplete: func(p *Point) { p.Complete = false },
	} {
		p := Point{}
		p.Complete = true
		if change(&p); stateOf(p) != want {
			t.Errorf("%s is %s", want, stateOf(p))
		}
		if ok := severity(stateOf(p)) == service.OK; ok != (want == proven) {
			t.Errorf("%s is shown as ok: %v", want, ok)
		}
	}
	if got := better(better("", incomplete), verified); got != verified {
		t.Error(got)
	}
}

func TestCommandsInAdvice(t *testing.T) {
	for text, want := range map[string]string{
		"see that it runs, then: upkeep check db":  "see that it runs, then: |[upkeep check db]|",
		"upkeep maintain db":                       "|[upkeep maintain db]|",
		"没有对整份备份运行：upkeep drill":                   "没有对整份备份运行：|[upkeep drill]|",
		"first\nupkeep backup\nupkeep drill\nthen": "first\n|[upkeep backup]|\n|[upkeep drill]|\nthen",
		"(upkeep doctor says where it lies)":       "(upkeep doctor says where it lies)",
	} {
		var parts []string
		for _, p := range pieces(text) {
			if p.code {
				p.text = "[" + p.text + "]"
			}
			parts = append(parts, p.text)
		}
		if got := strings.Join(parts, "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
