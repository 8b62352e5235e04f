package tables_test

import (
	"fmt"
	"testing"

	"upkeep/internal/tables"
)

func TestAnswersComeInTheirOrderAndWhole(t *testing.T) {
	db, err := tables.Open(t.Context(), tables.Limits{Scratch: t.TempDir()}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for name, c := range map[string]struct {
		statement string
		rows      int64
	}{
		"ordered":              {"SELECT i AS n, md5(i::varchar) FROM range(300000) t(i) ORDER BY i", 300000},
		"a piece and one":      {"SELECT i AS n FROM range(20481) t(i) ORDER BY i -- all", 20481},
		"a column named rowid": {"SELECT i AS rowid FROM range(50000) t(i) ORDER BY i;", 50000},
		"none":                 {"SELECT 1 AS n WHERE false", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var n int64
			for row, err := range db.Select(t.Context(), c.statement) {
				if err != nil {
					t.Fatal(err)
				}
				if row.Values[0] != n {
					t.Fatalf("row %d is %v", n, row.Values)
				}
				n++
			}
			if n != c.rows {
				t.Errorf("%d rows", n)
			}
		})
	}
	for range db.Select(t.Context(), "SELECT * FROM range(100000)") {
		break // a reader that wants no more leaves nothing behind
	}
	for row, err := range db.Select(t.Context(), "DESCRIBE SELECT 1 AS n") {
		if err != nil || row.Values[0] != "n" {
			t.Errorf("describe: %v, %v", row.Values, err)
		}
	}
}

// An answer that is larger than its memory is given all the same.
func TestAnAnswerLargerThanMemory(t *testing.T) {
	db, err := tables.Open(t.Context(), tables.Limits{Memory: 64 << 20, Threads: 1, Scratch: t.TempDir()}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	n := 0
	for _, err := range db.Select(t.Context(), fmt.Sprintf("SELECT repeat(md5(i::varchar), 8) FROM range(%d) t(i)", 500000)) { // 128 MB
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 500000 {
		t.Errorf("%d rows", n)
	}
}
