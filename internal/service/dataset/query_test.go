package dataset

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAnAnswerThatNeedsMoreThanLittleMemory(t *testing.T) {
	in := lay(t).instance()
	for row, err := range in.Query(t.Context(), "SELECT len(list(i)) FROM range(12000000) t(i)") { // a list cannot go to disk
		if err != nil || row.Values[0] != int64(12_000_000) {
			t.Errorf("%v, %v", row.Values, err)
		}
	}
}

func TestColumnsOfAnAnswerWithoutRows(t *testing.T) {
	in := lay(t).instance()
	names, err := in.Columns(t.Context(), "SELECT model, total FROM leaves WHERE false; -- none")
	if err != nil || len(names) != 2 || names[0] != "model" || names[1] != "total" {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := in.Columns(t.Context(), "SELECT 1; SELECT 2"); err == nil {
		t.Error("two statements are asked")
	}
}

func TestAStoreHoldsWhatWouldLieInIt(t *testing.T) {
	l := lay(t)
	in := l.instance()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(l.dir, link); err != nil {
		t.Fatal(err)
	}
	for path, inside := range map[string]bool{
		filepath.Join(l.dir, "new.csv"): true, filepath.Join(l.dir, "temp", "a.csv"): true, filepath.Join(link, "new.csv"): true,
		filepath.Join(l.dir, "..", "a.csv"): false, filepath.Join(t.TempDir(), "a.csv"): false,
	} {
		if in.Holds(path) != inside {
			t.Errorf("%s: %v", path, !inside)
		}
	}
}
