package journal_test

import (
	"strconv"
	"testing"

	"upkeep/internal/journal"
)

func TestTheLastPingsOfEachNameAreKept(t *testing.T) {
	j, _ := open(t)
	for i := range 130 {
		must(t, j.Heard(t.Context(), "shop", journal.Ping{Name: "offsite", At: start, Signal: strconv.Itoa(i), Body: []byte("log"), Whole: 200_000}))
	}
	must(t, j.Heard(t.Context(), "shop", journal.Ping{Name: "other", At: start}))
	must(t, j.Heard(t.Context(), "elsewhere", journal.Ping{Name: "offsite", At: start, Signal: "fail"}))
	pings, err := j.Pings(t.Context(), "shop", "offsite", true)
	must(t, err)
	if len(pings) != 100 || pings[0].Signal != "30" || pings[99].Signal != "129" {
		t.Fatalf("%d are kept, from %q to %q", len(pings), pings[0].Signal, pings[len(pings)-1].Signal)
	}
	if p := pings[99]; !p.At.Equal(start) || string(p.Body) != "log" || p.Whole != 200_000 || p.Name != "offsite" {
		t.Errorf("%+v", p)
	}
	brief, err := j.Pings(t.Context(), "shop", "offsite", false)
	if err != nil || len(brief) != 100 || len(brief[0].Body) != 0 {
		t.Errorf("%d without logs, %v", len(brief), err)
	}
	other, err := j.Pings(t.Context(), "shop", "other", true)
	if err != nil || len(other) != 1 || other[0].Signal != "" {
		t.Errorf("%+v, %v", other, err)
	}
}
