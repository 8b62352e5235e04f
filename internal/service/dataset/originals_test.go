package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"upkeep/internal/service"
)

// forgettable is a store with three originals: the file before a merge, and two increments that
// were put away a day later.
func forgettable(t *testing.T) *lain {
	t.Helper()
	l := tests(t)
	if err := os.Remove(filepath.Join(l.dir, "incremental/c.parquet")); err != nil {
		t.Fatal(err)
	}
	l.curated(service.Merge)
	l.env.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	l.curated(service.Merge)
	l.write(filepath.Join(keptIn, "note-of-somebody.txt"), "leave me")
	if n := len(l.kept()); n != 4 {
		t.Fatalf("%d files are kept", n)
	}
	return l
}

func (l *lain) kept() []string {
	l.t.Helper()
	all, err := filepath.Glob(filepath.Join(l.dir, keptIn, "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

func (l *lain) due(after time.Duration) (*Instance, []service.Step) {
	l.t.Helper()
	l.env.Now = func() time.Time { return time.Now().Add(after) }
	in := l.instance()
	steps, err := in.Maintenance(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return in, steps
}

const month = 31 * 24 * time.Hour

// Originals go when the work can no longer be taken back, and nothing else goes with them.
func TestOriginalsThatAreOld(t *testing.T) {
	l := forgettable(t)
	if _, steps := l.due(8 * time.Hour * 24); len(steps) != 1 || steps[0].Title.Args["n"] != 1 {
		t.Fatalf("after eight days planned %v", steps)
	}
	if _, steps := l.due(6 * time.Hour * 24); len(steps) > 0 {
		t.Fatalf("after six days planned %v", steps)
	}
	in, steps := l.due(month)
	if len(steps) != 1 || steps[0].Risk != service.Destructive || steps[0].Title.Args["n"] != 3 {
		t.Fatalf("planned %v", steps)
	}
	for range 2 { // a step may be done again
		if _, err := in.Do(t.Context(), steps[0], service.Report{}); err != nil {
			t.Fatal(err)
		}
	}
	if left := l.kept(); len(left) != 1 || filepath.Base(left[0]) != "note-of-somebody.txt" {
		t.Errorf("left %v", left)
	}
	l.equal(merged())
	if _, err := in.Undo(t.Context(), steps[0], nil); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("it can be taken back: %v", err)
	}
}

// What the store does not hold any more stays: of rows that a writer has left out, the
// originals are all there is.
func TestOriginalsThatHoldMore(t *testing.T) {
	l := forgettable(t)
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, i AS id, '2025-08-30' AS day, 1 AS score FROM range(90, 112) t(i)`)
	in, steps := l.due(month)
	if len(steps) != 1 || steps[0].Title.Args["n"] != 1 {
		t.Fatalf("planned %v", steps)
	}
	f, err := argsOf[forgetting](steps[0])
	if err != nil || filepath.Ext(f.Originals[0].Path) != ".parquet" || !f.Originals[0].Increment {
		t.Errorf("it would remove %v, %v", f.Originals, err)
	}
	l.parquet("tests.parquet", `SELECT 'qwen' AS model, 0.8::float AS rate, 1 AS id, '2025-08-30' AS day, 1 AS score`)
	before := l.kept()
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); err != nil || !slices.Equal(before, l.kept()) {
		t.Errorf("left %v, %v", l.kept(), err)
	}
}

// A store that is damaged may need them.
func TestOriginalsOfAStoreThatIsHarmed(t *testing.T) {
	l := forgettable(t)
	in, steps := l.due(month)
	l.write("tests.parquet", "PAR1 torn PAR1")
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrRefused) {
		t.Errorf("it was done: %v", err)
	}
	_, steps = l.due(month)
	if len(steps) != 1 || steps[0].Op != opRefuse || steps[0].Title.Args["detail"] != "dataset.file-damaged" || len(l.kept()) != 4 {
		t.Errorf("planned %v", steps)
	}
}

func TestWhatIsKeptIsTold(t *testing.T) {
	l := forgettable(t)
	v, err := l.instance().Check(t.Context())
	if err != nil || v.Facts["kept_files"] != int64(4) {
		t.Errorf("told %v, %v", v.Facts, err)
	}
}
