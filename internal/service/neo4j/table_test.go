package neo4j

import (
	"testing"

	"upkeep/internal/service"
)

// Numbers that share a place in memory push each other into the file.
func TestATableKeepsMoreThanItsPages(t *testing.T) {
	dir := t.TempDir()
	table, err := newTable(service.Env{Dir: func(string) (string, func() error, error) { return dir, func() error { return nil }, nil }})
	if err != nil {
		t.Fatal(err)
	}
	const apart = pageSize / entrySize * pagesKept
	for round := range int64(3) {
		for node := round; node < 8*apart; node += apart {
			if first, err := table.claim(node, hash{Lo: uint64(node) + 1}); err != nil || !first {
				t.Errorf("%d could not be claimed: %v", node, err)
			}
		}
	}
	for node := int64(0); node < 8*apart; node += apart {
		if first, err := table.claim(node, hash{Lo: 1}); err != nil || first {
			t.Errorf("%d was claimed twice: %v", node, err)
		}
		if value, there, err := table.get(node + 2); value.Lo != uint64(node)+3 || !there || err != nil {
			t.Errorf("%d holds %v: %v", node+2, value, err)
		}
		if _, there, err := table.get(node + 3); there || err != nil {
			t.Errorf("%d is there: %v", node+3, err)
		}
	}
	if err := table.close(); err != nil {
		t.Error(err)
	}
}
