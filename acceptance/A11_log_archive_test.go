package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestLogArchiveIsKeptAsDeclared collects on eight days and wants of them what keep:
// says: by age, by size, never today's, and never a day that holds what was not read
// back. What stays is found by a search, what went is not.
func TestLogArchiveIsKeptAsDeclared(t *testing.T) {
	s := &system{t: t, dir: t.TempDir()}
	declare := func(keep string) {
		s.write("upkeep.yaml", fmt.Sprintf("system: logged\nstate: state\nservices:\n  app: {kind: logs, paths: [app.log]}\nlogs: {keep: %s}\n", keep))
	}
	start := time.Date(2026, 11, 10, 2, 0, 0, 0, time.Local)
	collect := func(day int) []string {
		s.write("app.log", s.read("app.log")+fmt.Sprintf("%s INFO on day %d\n", start.AddDate(0, 0, day).Format(time.DateTime), day))
		s.at(start.AddDate(0, 0, day), "logs")
		return s.archivedDays()
	}
	day := func(n int) string { return start.AddDate(0, 0, n).Format(time.DateOnly) }

	s.write("app.log", "")
	declare("{age: 3d}")
	collect(0)
	orphan := filepath.Join(s.dir, "state", "logs", "logged", "app", day(0), "killed.zst")
	if err := os.WriteFile(orphan, []byte("written by a run that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 7; n++ {
		collect(n)
	}
	// On the sixth day the second has ended three days and two hours ago.
	if got, want := s.archivedDays(), []string{day(0), day(3), day(4), day(5), day(6)}; !slices.Equal(got, want) {
		t.Fatalf("by age there are %v, want %v", got, want)
	}
	told := s.at(start.AddDate(0, 0, 6), "logs")
	if found := told.Get(`targets.0.findings.#(id=="logs.day-not-read-back").evidence.day`).String(); found != day(0) {
		t.Errorf("nobody says that %s was not read back:\n%s", day(0), told.Raw)
	}
	if err := os.Remove(orphan); err != nil {
		t.Fatal(err)
	}
	declare("{size: 1 B}")
	if got, want := collect(7), []string{day(7)}; !slices.Equal(got, want) {
		t.Errorf("by size there are %v, want %v", got, want)
	}
	hits := s.at(start.AddDate(0, 0, 7), "logs", "-g", "on day")
	if hits.Get("line").String() != start.AddDate(0, 0, 7).Format(time.DateTime)+" INFO on day 7" {
		t.Errorf("a search gives %s", hits.Raw)
	}
}

func (s *system) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// archivedDays are the days of logs of the target app.
func (s *system) archivedDays() []string {
	s.t.Helper()
	dirs, err := filepath.Glob(s.path(filepath.Join("state", "logs", "logged", "app", "*-*-*")))
	if err != nil {
		s.t.Fatal(err)
	}
	for i, dir := range dirs {
		dirs[i] = filepath.Base(dir)
	}
	return dirs
}
