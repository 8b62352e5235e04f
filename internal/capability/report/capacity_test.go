package report_test

import (
	"testing"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// A mount of 1,000 bytes of which 100 are root's, or kept back by a quota, is as full as df says.
func TestStoresAreAsFullAsTheCheckSays(t *testing.T) {
	for _, c := range []struct {
		about      map[string]any
		used, size int64
	}{
		{map[string]any{"size_bytes": 1000.0, "free_bytes": 180.0, "used": 0.8}, 720, 900},
		{map[string]any{"size_bytes": 1000.0, "free_bytes": 0.0, "used": 1.0}, 1000, 1000},
		{map[string]any{"size_bytes": 1000.0, "free_bytes": 180.0}, 820, 1000}, // recorded without the share
	} {
		run := journal.Run{Verb: "check", Started: time.Unix(0, 0), Finished: time.Unix(1, 0),
			Targets: []journal.Target{{Target: "machine", Facts: service.Facts{"mounts": map[string]any{"/": c.about}}}}}
		all := report.Stores([]journal.Run{run})
		if len(all) != 1 || all[0].Used != c.used || all[0].Total != c.size {
			t.Errorf("%v: %+v", c.about, all)
		}
	}
}
