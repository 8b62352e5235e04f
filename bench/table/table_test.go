package table_test

import (
	"strings"
	"testing"

	"upkeep/bench/table"
)

func TestLimitsAreJudged(t *testing.T) {
	peer := []table.Limit{{Peer: "restic", Factor: 1}, {Peer: "kopia", Factor: 1.05}}
	cases := []struct {
		name   string
		values map[string]float64
		reach  []table.Limit
		want   string
	}{
		{"below every limit is met", map[string]float64{"upkeep": 10, "restic": 10, "kopia": 9.6}, peer, "| 1.00×, 1.04× | yes |"},
		{"above one limit is missed", map[string]float64{"upkeep": 10, "restic": 11, "kopia": 9}, peer, "| 0.91×, 1.11× | **no** |"},
		{"a peer that failed proves nothing", map[string]float64{"upkeep": 10, "restic": 11}, peer, "not measured | **no** |"},
		{"upkeep that failed is not met", map[string]float64{"restic": 10, "kopia": 10}, peer, "not measured, not measured | **no** |"},
		{"an absolute limit", map[string]float64{"upkeep": 0.2}, []table.Limit{{Factor: 0.1}}, "| ≤ 0.100 s |  | **no** |"},
		{"a row without limit is not judged", map[string]float64{"upkeep": 10}, nil, "|  |  |  |"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			row := table.Row{Work: "w", Measure: "time", Unit: table.Seconds, Values: c.values, Reach: c.reach}
			if err := table.Write(&out, []string{"upkeep", "restic", "kopia"}, []table.Row{row}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("got\n%swant %s", out.String(), c.want)
			}
		})
	}
}
