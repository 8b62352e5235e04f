package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep/internal/service"
)

// putAway is a store whose merge is a day old, so that its increments were put away, with the
// step and what it did.
func putAway(t *testing.T) (l *lain, s service.Step, done service.Outcome, before []string) {
	t.Helper()
	l = tests(t)
	before = l.rows()
	steps, outcomes := l.curated(service.Merge)
	l.env.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	l.curated(service.Merge)
	if left, err := filepath.Glob(filepath.Join(l.dir, "incremental", "*")); err != nil || len(left) != 1 {
		t.Fatalf("left %v, %v", left, err)
	}
	return l, steps[0], outcomes[0], before
}

// A merge that is taken back when its increments have left brings them back, too, and first:
// their rows are nowhere hidden, and the next merge takes them in again.
func TestUndoOfAMergeWhoseIncrementsHaveLeft(t *testing.T) {
	l, s, done, before := putAway(t)
	back, err := l.instance().Undo(t.Context(), s, done.Result)
	if err != nil || len(back) != 2 || back[0].Op != opReturn || back[1].Op != opBringBack {
		t.Fatalf("planned %v, %v", ops(back), err)
	}
	l.undone(s, done)
	l.equal(before)
	if left, err := filepath.Glob(filepath.Join(l.dir, "incremental", "*")); err != nil || len(left) != 3 {
		t.Errorf("back are %v, %v", left, err)
	}
	l.curated(service.Merge)
	l.equal(merged())
}

// Where they are kept no more, undo would lose their rows.
func TestUndoOfAMergeWhoseIncrementsAreGone(t *testing.T) {
	l, s, done, _ := putAway(t)
	kept, err := filepath.Glob(filepath.Join(l.dir, keptIn, "*-incremental-a.parquet"))
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	if err := os.Remove(kept[0]); err != nil {
		t.Fatal(err)
	}
	var fault *service.Fault
	if _, err := l.instance().Undo(t.Context(), s, done.Result); !errors.As(err, &fault) || fault.ID != "dataset.increments-gone" || !errors.Is(err, service.ErrRefused) {
		t.Errorf("got %v", err)
	}
	l.equal(merged())
}

// Increments of an earlier merge are in the file that comes back: they stay away.
func TestUndoOfALaterMerge(t *testing.T) {
	l := tests(t)
	l.curated(service.Merge)
	before := l.rows()
	l.parquet("incremental/d.parquet", "SELECT 'qwen' AS model, 0.8 AS rate, 200 AS id, '2025-08-20' AS day, 9 AS score")
	l.aged("incremental/d.parquet", time.Minute)
	steps, done := l.curated(service.Merge)
	l.env.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	l.curated(service.Merge)
	l.undone(steps[0], done[0])
	l.equal(before)
	if left, err := filepath.Glob(filepath.Join(l.dir, "incremental", "*")); err != nil || len(left) != 2 {
		t.Errorf("there are %v, %v", left, err)
	}
}
