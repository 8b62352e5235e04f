package series_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sys/unix"

	"upkeep/internal/monitor/series"
)

// filled makes a directory of samples: a block of two hours ago, and a log with a checkpoint.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for part := range 6 { // each start begins a file of the log, and five are enough for a checkpoint
		s := start(t, series.Options{Dir: dir})
		from := time.Now().Add(-6 * time.Hour).Add(time.Duration(part) * time.Hour)
		for i := range 240 {
			at := from.Add(time.Duration(i) * 15 * time.Second)
			if err := s.Append(t.Context(), "t", at, []*dto.MetricFamily{metric("a", float64(at.Unix())), metric("b", 1)}); err != nil {
				t.Fatal(err)
			}
		}
		if part == 5 {
			s.Compact(t)
		}
		s.stop()
	}
	return dir
}

// Compact makes a block of what is old enough.
func (r *running) Compact(t *testing.T) {
	t.Helper()
	if err := series.Compact(r.Store); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedSamplesAreSetAsideAndToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		what   string
		newest bool // samples of the last minutes survive
	}{
		"nothing":                  {func(*testing.T, string) {}, "", true},
		"index of a block":         {func(t *testing.T, dir string) { cut(t, one(t, dir, "0*/index"), 40) }, series.BlockDamaged, true},
		"description of a block":   {func(t *testing.T, dir string) { cut(t, one(t, dir, "0*/meta.json"), 40) }, series.BlockDamaged, true},
		"chunks of a block":        {func(t *testing.T, dir string) { cut(t, one(t, dir, "0*/chunks/000001"), 3) }, series.BlockDamaged, true},
		"log cut":                  {func(t *testing.T, dir string) { f := last(t, dir, "wal/0*"); cut(t, f, used(t, f)-20) }, series.LogDamaged, false},
		"log overwritten":          {func(t *testing.T, dir string) { flip(t, last(t, dir, "wal/0*")) }, series.LogDamaged, false},
		"log checkpoint destroyed": {func(t *testing.T, dir string) { flip(t, last(t, dir, "wal/checkpoint*/0*")) }, series.LogDamaged, false},
		"head chunks overwritten":  {func(t *testing.T, dir string) { flip(t, last(t, dir, "chunks_head/0*")) }, series.HeadDamaged, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			c.damage(t, dir)
			s := start(t, series.Options{Dir: dir})
			lost := s.Loss()
			switch {
			case c.what == "" && len(lost) != 0:
				t.Fatalf("lost: %+v", lost)
			case c.what != "" && (len(lost) != 1 || lost[0].What != c.what || lost[0].Since.IsZero()):
				t.Fatalf("lost: %+v, want %s", lost, c.what)
			case c.what != "":
				if _, err := os.Stat(filepath.Join(lost[0].Path, "loss.json")); err != nil {
					t.Errorf("nothing set aside: %v", err)
				}
			}
			if _, ok := value(t, s, "a"); ok != c.newest && c.newest {
				t.Errorf("the newest sample is there: %v", ok)
			}
			if err := s.Append(t.Context(), "t", time.Now(), []*dto.MetricFamily{metric("a", 1)}); err != nil {
				t.Errorf("append: %v", err)
			}
			if v, _ := value(t, s, "a"); v != 1 {
				t.Errorf("a is %v", v)
			}
			s.stop()
			if again := start(t, series.Options{Dir: dir}); len(again.Loss()) != len(lost) {
				t.Errorf("after another start lost is %+v", again.Loss())
			}
		})
	}
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s below %s", pattern, dir)
	}
	return found[0]
}

// last is the last file with something in it.
func last(t *testing.T, dir, pattern string) string {
	t.Helper()
	one(t, dir, pattern)
	found, _ := filepath.Glob(filepath.Join(dir, pattern))
	for _, f := range slices.Backward(found) {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return f
		}
	}
	t.Fatalf("nothing in %s", pattern)
	return ""
}

// used is how much a file holds before its padding.
func used(t *testing.T, path string) int64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(strings.TrimRight(string(text), "\x00")))
}

func cut(t *testing.T, path string, at int64) {
	t.Helper()
	if err := os.Truncate(path, at); err != nil {
		t.Fatal(err)
	}
}

// flip writes over the middle of what a file holds before its padding.
func flip(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(text[used(t, path)/2:], "this is no record of any log")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// small is a disk of its own, which can be filled.
func small(t *testing.T) (dir string, fill, free func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a disk of its own needs root")
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=80m"); err != nil {
		t.Skipf("no disk of its own here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 1<<16))
		}
	}
	return dir, fill, func() { _ = os.Remove(ballast) }
}

func TestAlertsGoOnWhileTheDiskIsFull(t *testing.T) {
	dir, fill, free := small(t)
	before := time.Now().Add(-time.Minute)
	s := start(t, series.Options{Dir: filepath.Join(dir, "samples"), Scrape: scrapes(t, "web", free1(t)),
		Builtin: map[string][]byte{"r": []byte(`groups: [{name: g, rules: [{alert: Full, expr: 'disk_free == 0 and on() old == 7'}]}]`)}})
	if err := s.Append(t.Context(), "t", before, []*dto.MetricFamily{metric("old", 7)}); err != nil {
		t.Fatal(err)
	}
	fill()
	until(t, "the loss is told of", func() bool { return len(s.Loss()) == 1 })
	if l := s.Loss()[0]; l.What != series.DiskRefuses || !l.Until.IsZero() || l.Why == "" {
		t.Errorf("loss is %+v", l)
	}
	during := time.Now()
	if err := s.Append(t.Context(), "t", during, []*dto.MetricFamily{metric("old", 7), metric("disk_free", 0)}); err != nil {
		t.Fatalf("append on a full disk: %v", err)
	}
	until(t, "the alert fires", func() bool { return len(s.heard()) > 0 })
	scraped := func() bool { v, _ := value(t, s, "count_over_time(up[10s])"); return v > 3 }
	until(t, "targets are still scraped", scraped)
	free()
	until(t, "the disk is used again", func() bool { return !s.Loss()[0].Until.IsZero() })
	s.stop()
	again := start(t, series.Options{Dir: filepath.Join(dir, "samples")})
	for expr, at := range map[string]time.Time{"disk_free": during, "old": before} {
		if all, err := again.Query(t.Context(), expr, at); err != nil || len(all) != 1 {
			t.Errorf("%s was %v (%v) after all", expr, all, err)
		}
	}
}

func free1(t *testing.T) string { return target(t, "a 1\n") }

func TestOpensOnAFullDisk(t *testing.T) {
	dir, fill, free := small(t)
	opt := series.Options{Dir: filepath.Join(dir, "samples")}
	s := start(t, opt)
	at := time.Now().Add(-time.Minute)
	if err := s.Append(t.Context(), "t", at, []*dto.MetricFamily{metric("old", 7)}); err != nil {
		t.Fatal(err)
	}
	s.stop()
	fill()
	s = start(t, opt)
	if len(s.Loss()) != 1 {
		t.Fatalf("loss is %+v", s.Loss())
	}
	if err := s.Append(t.Context(), "t", time.Now(), []*dto.MetricFamily{metric("new", 8)}); err != nil {
		t.Fatal(err)
	}
	if v, _ := value(t, s, "new"); v != 8 {
		t.Errorf("new is %v", v)
	}
	free()
	until(t, "the disk is used again", func() bool { return !s.Loss()[0].Until.IsZero() })
	if v, _ := value(t, s, "old"); v != 7 {
		t.Errorf("old is %v", v)
	}
	if v, _ := value(t, s, "new"); v != 8 {
		t.Errorf("new is %v", v)
	}
}
