package corpus_test

import (
	"strings"
	"testing"

	"upkeep/bench/corpus"
)

func TestTablesGiveTheSameRowsAndAllReplacingOnes(t *testing.T) {
	spec := corpus.Tables{Rows: 20_000, Increments: 4, IncrementRows: 1000}
	var digests []string
	for range 2 {
		dir := t.TempDir()
		if err := spec.Write(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		merged, err := spec.Merged(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, merged)
	}
	if digests[0] != digests[1] || !strings.HasPrefix(digests[0], "22800 ") {
		t.Errorf("digests %q; want the same, of 22800 rows", digests)
	}
}
