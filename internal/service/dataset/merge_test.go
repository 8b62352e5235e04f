package dataset

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/footer"
)

// tests is a store of one table of single tests, which three increments extend: new
// rows, later ones of known keys, an earlier one, doubles, rows without a key.
func tests(t *testing.T) *lain {
	t.Helper()
	l := lay(t)
	l.cfg.Tables = map[string]Table{"tests": {Files: []string{"tests.parquet"}, Key: []string{"model", "rate", "id"}, Order: []string{"day"},
		Fold: map[string]string{"rate": "round(rate, 4)", "model": "lower(model)"}, Columns: map[string]Column{"model": "text", "rate": "number", "id": "integer", "day": "text", "score": "integer?"},
		Increments: Increments{Files: []string{"incremental/*.parquet"}, QuarantineAfter: quantity.Duration(1000 * time.Hour)}}}
	l.cfg.Copies, l.cfg.Waiting = nil, nil
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, i AS id, '2025-08-17' AS day, 1 AS score FROM range(100) t(i)`)
	l.parquet("incremental/a.parquet", `SELECT 'Qwen' AS model, 0.8::double AS rate, i AS id, '2025-08-18' AS day, 2 AS score FROM range(90, 110) t(i)`)
	l.parquet("incremental/b.parquet", `SELECT 'qwen' AS model, 0.8::double AS rate, i AS id, '2025-08-19' AS day, 3 AS score FROM range(108, 112) t(i)
		UNION ALL SELECT 'qwen', 0.8, 5, '2025-08-01', 3 UNION ALL SELECT NULL, 0.8, 1, '2025-08-19', 3 UNION ALL SELECT NULL, 0.8, 1, '2025-08-19', 3`)
	l.write("incremental/c.parquet", "PAR1 torn PAR1")
	for i, name := range []string{"a.parquet", "b.parquet"} { // so that nobody waits for their writers
		written := time.Now().Add(time.Duration(i-10) * time.Second)
		if err := os.Chtimes(filepath.Join(l.dir, "incremental", name), written, written); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// rows are all of the table, as they lie in the file.
func (l *lain) rows() []string {
	l.t.Helper()
	db, err := tables.Open(l.t.Context(), tables.Limits{}, nil, []string{l.dir})
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var all []string
	for row, err := range db.Rows(l.t.Context(), "SELECT id, day, score FROM "+tables.From(tables.Parquet, filepath.Join(l.dir, "tests.parquet"))+" ORDER BY ALL") {
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, fmt.Sprint(row.Values...))
	}
	return all
}

// curated plans a work and does its steps.
func (l *lain) curated(w service.Care) (steps []service.Step, done []service.Outcome) {
	l.t.Helper()
	in := l.instance()
	steps, err := in.Curate(l.t.Context(), service.Work{Care: w})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range steps {
		out, err := in.Do(l.t.Context(), s, service.Report{})
		if err != nil {
			l.t.Fatal(err)
		}
		done = append(done, out)
	}
	return steps, done
}

func merged() []string {
	var want []string
	for i := range 90 {
		want = append(want, fmt.Sprint(i, "2025-08-17", 1))
	}
	for i := 90; i < 108; i++ {
		want = append(want, fmt.Sprint(i, "2025-08-18", 2))
	}
	for i := 108; i < 112; i++ {
		want = append(want, fmt.Sprint(i, "2025-08-19", 3))
	}
	return append(want, fmt.Sprint(1, "2025-08-19", 3), fmt.Sprint(1, "2025-08-19", 3))
}

func (l *lain) equal(want []string) {
	l.t.Helper()
	have := l.rows()
	want = slices.Clone(want)
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		l.t.Errorf("the table holds %d rows, not %d:\n%s\nwant\n%s", len(have), len(want), strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

func TestAMerge(t *testing.T) {
	l := tests(t)
	before := l.rows()
	if err := os.Chmod(filepath.Join(l.dir, "tests.parquet"), 0o640); err != nil {
		t.Fatal(err)
	}
	steps, done := l.curated(service.Merge)
	l.equal(merged())
	if len(steps) != 1 || steps[0].Title.Args["increments"] != 2 {
		t.Fatalf("planned %+v", steps)
	}
	facts := done[0].Verdict.Facts
	if fmt.Sprint(facts["tests_rows_before"], facts["tests_rows_taken"], facts["tests_rows_doubled"], facts["tests_rows_replaced"], facts["tests_rows_older"], facts["tests_rows_after"]) != "100 27 2 10 1 114" {
		t.Errorf("it says %v", facts)
	}
	if info, err := os.Stat(filepath.Join(l.dir, "tests.parquet")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if again, _ := l.curated(service.Merge); len(again) > 0 {
		t.Errorf("what is merged is planned again: %+v", again)
	}
	l.undone(steps[0], done[0])
	l.equal(before)
}

func (l *lain) undone(s service.Step, done service.Outcome) {
	l.t.Helper()
	in := l.instance()
	back, err := in.Undo(l.t.Context(), s, done.Result)
	if err != nil {
		l.t.Fatal(err)
	}
	for range 2 { // a step may be done again
		for _, s := range back {
			if _, err := in.Do(l.t.Context(), s, service.Report{}); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// A step that was killed after its work is done again and changes nothing.
func TestAMergeThatIsDoneTwice(t *testing.T) {
	l := tests(t)
	before := l.rows()
	steps, done := l.curated(service.Merge)
	again, err := l.instance().Do(t.Context(), steps[0], service.Report{})
	if err != nil || string(again.Result) != string(done[0].Result) {
		t.Fatalf("got %s, %v; first %s", again.Result, err, done[0].Result)
	}
	l.equal(merged())
	l.undone(steps[0], again)
	l.equal(before)
}

// What was appended to an increment since its plan makes it another one: it is left to the
// next merge. Where nothing else is planned, the plan is stale.
func TestAMergeOfAnIncrementThatGrew(t *testing.T) {
	l := tests(t)
	in, steps := l.planned(service.Merge)
	grow := func(name string) {
		l.parquet("incremental/"+name, "SELECT 'qwen' AS model, 0.8 AS rate, 200 AS id, '2025-08-20' AS day, 9 AS score")
	}
	grow("a.parquet")
	out, err := in.Do(t.Context(), steps[0], service.Report{})
	if err != nil || out.Verdict.Facts["tests_increments_left"] != 1 || len(l.rows()) != 106 {
		t.Fatalf("%d rows, %v, %v", len(l.rows()), out.Verdict.Facts, err)
	}
	in, steps = l.planned(service.Merge)
	grow("a.parquet")
	before := l.rows()
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrStale) {
		t.Errorf("got %v", err)
	}
	l.equal(before)
	l.noDraft()
	if l.curated(service.Merge); len(l.rows()) != 107 {
		t.Errorf("%d rows", len(l.rows()))
	}
}

func (l *lain) noDraft() {
	l.t.Helper()
	if left, err := filepath.Glob(filepath.Join(l.dir, ".upkeep-*")); err != nil || len(left) > 0 {
		l.t.Errorf("left %v, %v", left, err)
	}
}

// The plan of a killed run that is resumed when another run has done its work.
func TestAPlanWhoseIncrementsAnotherRunHasMerged(t *testing.T) {
	l := tests(t)
	in, steps := l.planned(service.Merge)
	l.curated(service.Merge)
	l.parquet("incremental/d.parquet", "SELECT 'qwen' AS model, 0.8 AS rate, 95 AS id, '2025-08-20' AS day, 9 AS score")
	l.curated(service.Merge)
	before := l.rows()
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrStale) {
		t.Errorf("got %v", err)
	}
	l.equal(before)
}

// What lies under the name of a draft is of a killed run: part of a draft, a whole one, the
// original – or what a writer has saved last, which must not be lost.
func TestWhatAKilledMergeLeaves(t *testing.T) {
	for name, leave := range map[string]func(l *lain, path, draft string) error{
		"a part":        func(_ *lain, _, draft string) error { return os.WriteFile(draft, []byte("PAR1 not whole"), 0o600) },
		"a whole draft": func(l *lain, path, draft string) error { l.curated(service.Merge); return os.Link(path, draft) },
		"the original": func(l *lain, _, draft string) error {
			_, done := l.curated(service.Merge)
			return os.Link(filepath.Join(l.dir, gjson.GetBytes(done[0].Result, "kept").String()), draft)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := tests(t)
			if err := leave(l, filepath.Join(l.dir, "tests.parquet"), filepath.Join(l.dir, draftOf+"tests.parquet")); err != nil {
				t.Fatal(err)
			}
			l.parquet("incremental/d.parquet", "SELECT 'qwen' AS model, 0.8 AS rate, 200 AS id, '2025-08-20' AS day, 9 AS score")
			l.curated(service.Merge)
			l.equal(append(merged(), fmt.Sprint(200, "2025-08-20", 9)))
			l.noDraft()
		})
	}
}

// A run that is killed between the two moves with which it gives a save back.
func TestWhatAWriterSavedWhenAMergeWasKilled(t *testing.T) {
	l := tests(t)
	l.curated(service.Merge)
	l.parquet(draftOf+"tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, 300 AS id, '2025-08-17' AS day, 1 AS score`)
	l.parquet("incremental/d.parquet", "SELECT 'qwen' AS model, 0.8 AS rate, 200 AS id, '2025-08-20' AS day, 9 AS score")
	l.curated(service.Merge)
	l.noDraft()
	if rows := l.rows(); !slices.Contains(rows, fmt.Sprint(300, "2025-08-17", 1)) {
		t.Errorf("the save is lost: %v", rows)
	}
	l.curated(service.Merge) // it says nothing of increments that were merged before
	if rows := l.rows(); len(rows) != 27 {
		t.Errorf("%d rows: %v", len(rows), rows)
	}
}

func (l *lain) planned(w service.Care) (*Instance, []service.Step) {
	l.t.Helper()
	in := l.instance()
	steps, err := in.Curate(l.t.Context(), service.Work{Care: w})
	if err != nil || len(steps) == 0 {
		l.t.Fatal(steps, err)
	}
	return in, steps
}

// A file whose writers go on is merged as it is by then; its doubles are not removed by a
// plan that has not seen it.
func TestAFileThatChangedSinceThePlan(t *testing.T) {
	l := tests(t)
	in, steps := l.planned(service.Merge)
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, i AS id, '2025-08-17' AS day, 1 AS score FROM range(101) t(i) UNION ALL SELECT 'gpt', 0.8, 7, '2025-08-20', 9`)
	var done service.Outcome
	for range 2 {
		again, err := in.Do(t.Context(), steps[0], service.Report{})
		if err != nil || done.Result != nil && string(again.Result) != string(done.Result) {
			t.Fatalf("%s, %v; first %s", again.Result, err, done.Result)
		}
		done = again
	}
	l.equal(append(merged(), fmt.Sprint(7, "2025-08-20", 9)))
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, 1 AS id, '2025-08-17' AS day, 1 AS score FROM range(3)`)
	in, steps = l.planned(service.Dedup)
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, 1 AS id, '2025-08-17' AS day, 1 AS score FROM range(4)`)
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrStale) {
		t.Errorf("got %v", err)
	}
}

// Increments go when their rows are proven and the grace is over; not before, and not
// one that has grown.
func TestIncrementsThatAreHeld(t *testing.T) {
	l := tests(t)
	l.curated(service.Merge)
	l.env.Now = func() time.Time { return time.Now().Add(23 * time.Hour) }
	if steps, _ := l.curated(service.Merge); len(steps) > 0 {
		t.Errorf("planned within the grace: %+v", steps)
	}
	l.env.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	steps, done := l.curated(service.Merge)
	if len(steps) != 1 || steps[0].Op != opClear || done[0].Verdict.Facts["tests_increments_cleared"] != 2 {
		t.Fatalf("planned %+v, done %+v", steps, done)
	}
	left, err := filepath.Glob(filepath.Join(l.dir, "incremental", "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "c.parquet" {
		t.Errorf("left %v, %v", left, err)
	}
	l.equal(merged())
	l.undone(steps[0], done[0])
	if left, err := filepath.Glob(filepath.Join(l.dir, "incremental", "*")); err != nil || len(left) != 3 {
		t.Errorf("back are %v, %v", left, err)
	}
}

// Increments that are held leave in the same run in which others are merged, and a run that
// was killed among them knows what it has moved.
func TestIncrementsThatLeaveBesideAMerge(t *testing.T) {
	l := tests(t)
	l.curated(service.Merge)
	l.env.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	l.parquet("incremental/d.parquet", "SELECT 'qwen' AS model, 0.8 AS rate, 200 AS id, '2025-08-20' AS day, 9 AS score")
	steps, done := l.curated(service.Merge)
	if len(steps) != 2 || done[1].Verdict.Facts["tests_increments_cleared"] != 2 {
		t.Fatalf("planned %+v, done %+v", steps, done)
	}
	again, err := l.instance().Do(t.Context(), steps[1], service.Report{})
	if err != nil || string(again.Result) != string(done[1].Result) {
		t.Errorf("done again %s, %v; first %s", again.Result, err, done[1].Result)
	}
	l.equal(append(merged(), fmt.Sprint(200, "2025-08-20", 9)))
}

// A file that a writer overwrote says nothing of increments; their rows are merged again, not
// thrown away.
func TestIncrementsThatAreHeldNoMore(t *testing.T) {
	l := tests(t)
	l.curated(service.Merge)
	in := l.instance()
	main, err := in.see(filepath.Join(l.dir, "tests.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := l.cfg.Tables["tests"]
	all, err := in.sift(cfg, main)
	held := all.held
	if err != nil || len(held) != 2 {
		t.Fatalf("held %v, %v", held, err)
	}
	f, err := footer.Read(filepath.Join(l.dir, "tests.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, i AS id, '2025-08-17' AS day, 1 AS score FROM range(100) t(i)`)
	if main, err = in.see(filepath.Join(l.dir, "tests.parquet")); err != nil || f.Rows != 114 {
		t.Fatal(f.Rows, err)
	}
	if _, err := in.doClear(t.Context(), step(opClear, service.Reversible, "tests", clearing{"tests", main, slices.Collect(maps.Keys(held))}, service.Message{}), service.Report{}); !errors.Is(err, service.ErrRefused) {
		t.Errorf("increments whose rows are in no file go: %v", err)
	}
	l.curated(service.Merge)
	l.equal(merged())
}

func TestDedup(t *testing.T) {
	l := tests(t)
	if steps, _ := l.curated(service.Dedup); len(steps) > 0 {
		t.Errorf("planned %+v", steps)
	}
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::double AS rate, i % 10 AS id, '2025-08-' || (10 + i // 10) AS day, i AS score FROM range(30) t(i)
		UNION ALL SELECT 'QWEN', 0.800000011920929, 3, '2025-08-01', 99 UNION ALL SELECT 'qwen', 0.8, NULL, 'x', 1 UNION ALL SELECT 'qwen', 0.8, NULL, 'x', 1`)
	before := l.rows()
	steps, done := l.curated(service.Dedup)
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprint(i, "2025-08-12", 20+i))
	}
	l.equal(append(want, fmt.Sprint(nil, "x", 1), fmt.Sprint(nil, "x", 1)))
	if len(steps) != 1 || done[0].Verdict.Facts["tests_rows_replaced"] != int64(21) {
		t.Errorf("planned %+v, done %+v", steps, done)
	}
	l.undone(steps[0], done[0])
	l.equal(before)
}

// Doubles that a check has seen are no loss when they are gone, also where the step is done
// again because a crash took its record; what was lost before stays lost.
func TestDedupIsNoLoss(t *testing.T) {
	for _, lost := range []bool{false, true} {
		l := tests(t)
		table := l.cfg.Tables["tests"]
		table.Totals, table.Lasting = map[string]string{"score": "sum(score)"}, map[string]string{"model": "lower(model)"}
		l.cfg.Tables["tests"] = table
		rows := "SELECT 'qwen' AS model, 0.8::double AS rate, i AS id, '2025-08-10' AS day, 10 AS score FROM range(30) t(i)"
		l.parquet("tests.parquet", rows+" UNION ALL "+rows)
		if ids, _ := l.found(); slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "total-fell") }) {
			t.Fatalf("found %v", ids)
		}
		if lost {
			l.parquet("tests.parquet", rows+" WHERE i < 20 UNION ALL "+rows+" WHERE i < 20")
			l.found()
		}
		in, steps := l.planned(service.Dedup)
		for range 2 {
			if _, err := in.Do(t.Context(), steps[0], service.Report{}); err != nil {
				t.Fatal(err)
			}
			ids, v := l.found()
			fell := slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "total-fell") })
			if fell != lost {
				t.Errorf("lost %v: found %v %+v", lost, ids, v.Findings)
			}
		}
	}
}
