package acceptance

import (
	"os"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// TestStorageGrowth lets a directory grow by a megabyte a day, and wants the growth
// from the third day on, rightly, and not before.
func TestStorageGrowth(t *testing.T) {
	s := &system{t: t, dir: t.TempDir()}
	s.write("upkeep.yaml", "system: growth\nstate: state\nservices:\n  files: {kind: files, paths: [data]}\n")
	if err := os.Mkdir(s.path("data"), 0o755); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	var told gjson.Result
	for day := range 5 {
		if err := os.WriteFile(s.path("data/"+string(rune('a'+day))), make([]byte, 1_000_000), 0o600); err != nil {
			t.Fatal(err)
		}
		at := start.AddDate(0, 0, day)
		s.at(at, "check", "files")
		told = s.at(at.Add(time.Minute), "report").Get(`capacity.#(target=="files")`)
		daily := told.Get("bytes_per_day")
		if known := daily.Type == gjson.Number; known != (day >= 2) {
			t.Errorf("day %d: growth is known: %v\n%s", day, known, told.Raw)
		}
		if got := daily.Float(); day >= 2 && (got < 999_000 || got > 1_001_000) {
			t.Errorf("day %d: it grows by %.0f bytes a day, want 1000000", day, got)
		}
	}
	if used, change := told.Get("used_bytes").Int(), told.Get("change_bytes").Int(); used != 5_000_000 || change != 4_000_000 {
		t.Errorf("used %d, change %d", used, change)
	}
}
