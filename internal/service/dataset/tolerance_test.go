package dataset

import (
	"testing"
	"time"

	"upkeep/internal/service"
)

// A plan of a merge outlives increments that come after it, and nothing else.
func TestWhatAPlanOfAMergeTolerates(t *testing.T) {
	later := func(l *lain, name string) {
		l.parquet("incremental/"+name, "SELECT 'qwen' AS model, 0.8 AS rate, 200 AS id, '2025-08-20' AS day, 9 AS score")
		l.aged("incremental/"+name, time.Minute)
	}
	for _, c := range []struct {
		name   string
		change func(l *lain)
		want   bool
	}{
		{"nothing", func(*lain) {}, true},
		{"another increment", func(l *lain) { later(l, "d.parquet") }, true},
		{"one that cannot be read", func(l *lain) {
			l.write("incremental/d.parquet", "PAR1 torn")
			l.aged("incremental/d.parquet", 2000*time.Hour)
		}, true},
		{"one of its increments changed", func(l *lain) { later(l, "a.parquet") }, false},
		{"the file changed", func(l *lain) {
			l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, i AS id, '2025-08-17' AS day, 1 AS score FROM range(101) t(i)`)
		}, false},
		{"it was done", func(l *lain) { l.curated(service.Merge) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := tests(t)
			_, planned := l.planned(service.Merge)
			c.change(l)
			in := l.instance()
			now, err := in.Curate(t.Context(), service.Work{Care: service.Merge})
			if got := in.Tolerates(planned, now); err != nil || got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	l := tests(t)
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, 1 AS id, '2025-08-17' AS day, 1 AS score FROM range(3)`)
	in, planned := l.planned(service.Dedup)
	if in.Tolerates(planned, planned) {
		t.Error("a plan that removes rows is tolerant")
	}
}
