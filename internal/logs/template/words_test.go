package template

import (
	"slices"
	"testing"
)

func TestWordListsAreSortedForSearching(t *testing.T) {
	if !slices.IsSorted(cues) || !slices.IsSorted(states) {
		t.Errorf("not sorted: cues %v, states %v", slices.IsSorted(cues), slices.IsSorted(states))
	}
}
