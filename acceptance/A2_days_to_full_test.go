package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"upkeep/lab"
)

// TestDaysToFull fills a real disk of 20 MiB by one megabyte a day and wants to be
// told when it will be full: not before two days have been seen, rightly from then
// on, as a warning only when it is near, and no more once room was made.
func TestDaysToFull(t *testing.T) {
	disk := lab.SmallDisk(t, 20<<20)
	s := &system{t: t, dir: t.TempDir()}
	s.write("upkeep.yaml", fmt.Sprintf(`system: disks
state: state
services:
  host: {kind: host, mounts: [%q], full_within: 12d, disk: {warning: 95%%, critical: 99%%}, inodes: {warning: 100%%, critical: 100%%},
    memory: {warning: 100%%, critical: 100%%}, swap: {warning: 0%%}, load: {warning: 0},
    pressure: {cpu: {warning: 0%%}, io: {warning: 0%%}, memory: {warning: 0%%, critical: 0%%}}}
`, disk))
	start := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	var day gjson.Result
	for i := range 11 {
		if err := os.WriteFile(filepath.Join(disk, fmt.Sprint(i)), make([]byte, 1_000_000), 0o600); err != nil {
			t.Fatal(err)
		}
		day = s.at(start.AddDate(0, 0, i), "check", "host")
		facts := mountFacts(day, disk)
		if told := facts.Get("full_in_days").Exists(); told != (i >= 2) {
			t.Errorf("day %d: told %v\n%s", i, told, day.Raw)
		}
		free := facts.Get("free_bytes").Float() / 1e6
		if got := facts.Get("full_in_days").Float(); i >= 2 && (got < free*0.98 || got > free*1.02) {
			t.Errorf("day %d: full in %.2f days, with %.2f MB free and 1 MB a day", i, got, free)
		}
		if found := day.Get(`targets.0.findings.#(id=="host.disk-filling")`).Exists(); found != (i >= 2 && free < 12) {
			t.Errorf("day %d, %.2f MB free: found %v\n%s", i, free, found, day.Raw)
		}
	}
	if verdict := day.Get("targets.0.verdict").String(); verdict != "warning" {
		t.Errorf("the last day is %s", verdict)
	}
	for i := range 6 {
		if err := os.Remove(filepath.Join(disk, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if after := s.at(start.AddDate(0, 0, 11), "check", "host"); after.Get("targets.0.verdict").String() != "ok" {
		t.Errorf("after room was made:\n%s", after.Raw)
	}
}

func mountFacts(answer gjson.Result, mount string) gjson.Result {
	return answer.Get("targets.0.facts.mounts").Map()[mount]
}
