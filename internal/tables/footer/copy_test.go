package footer_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"upkeep/internal/tables"
	"upkeep/internal/tables/footer"
)

func copied(t *testing.T, path string, c footer.Change) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.parquet")
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := footer.Copy(t.Context(), path, f, c); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := footer.Walk(t.Context(), to); err != nil {
		t.Error(err)
	}
	return to
}

// asked is what DuckDB, another reader, finds in files.
func asked(t *testing.T, statement string, files ...string) string {
	t.Helper()
	db, err := tables.Open(t.Context(), tables.Limits{}, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	row, err := db.One(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(row.Values...)
}

func TestACopyHoldsTheSame(t *testing.T) {
	path, _ := written(t)
	to := copied(t, path, footer.Change{})
	if got := asked(t, `SELECT count(*) FROM (FROM `+tables.From(tables.Parquet, path)+` EXCEPT ALL FROM `+tables.From(tables.Parquet, to)+`)`, path, to); got != "0" {
		t.Errorf("%s rows differ", got)
	}
	was, _ := footer.Read(path)
	is, err := footer.Read(to)
	if err != nil || was.Writer != is.Writer || was.Groups != is.Groups || was.Rows != is.Rows || fmt.Sprint(was.Columns) != fmt.Sprint(is.Columns) {
		t.Errorf("was %+v, is %+v, %v", was, is, err)
	}
}

func TestOneColumnOfARowGroupChanges(t *testing.T) {
	path, _ := written(t)
	cells := func(all ...footer.Cell) iter.Seq2[footer.Cell, error] {
		return func(yield func(footer.Cell, error) bool) {
			for _, c := range all {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
	to := copied(t, path, footer.Change{Cells: map[string]iter.Seq2[footer.Cell, error]{
		"tool_success_rate": cells(footer.Cell{Row: 1, Value: 0.5}, footer.Cell{Row: 1999, Value: 0.25}),
		"model":             cells(footer.Cell{Row: 2999, Value: "最"}),
		"total":             cells(footer.Cell{Row: 2000, Value: int64(-1)}),
	}})
	got := asked(t, `SELECT count(*), min(tool_success_rate), string_agg(total || ' ' || tool_success_rate, ', ' ORDER BY total) FILTER (WHERE tool_success_rate < 0.7),
		string_agg(total, ', ') FILTER (WHERE model = '最'), count(*) FILTER (WHERE model IN ('qwen', 'gpt')), typeof(any_value(tool_success_rate)), sum(total) FROM `+tables.From(tables.Parquet, to), to)
	if want := fmt.Sprint(int64(3000), 0.25, "1 0.5, 1999 0.25", "2999", int64(2999), "FLOAT", int64(2999*1500-2001)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDamagedRowGroupsAreLeftOut(t *testing.T) {
	path, content := written(t)
	content[bytes.Index(content, []byte("qwen"))]++
	put(t, path, content)
	groups, err := footer.Groups(t.Context(), path)
	if err != nil || len(groups) != 2 || groups[0].Rows != 2000 || !errors.Is(groups[0].Damaged, parquet.ErrCorrupted) || groups[1].Damaged != nil {
		t.Fatalf("got %+v, %v", groups, err)
	}
	to := copied(t, path, footer.Change{Keep: func(group int) bool { return groups[group].Damaged == nil }})
	if got := asked(t, `SELECT count(*), min(total), max(total) FROM `+tables.From(tables.Parquet, to), to); got != "1000 2000 2999" {
		t.Errorf("got %s", got)
	}
}
