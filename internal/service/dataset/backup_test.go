package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func (l *lain) copied() *servicetest.Copy {
	l.t.Helper()
	snap, err := l.instance().Snapshot(l.t.Context(), service.NoPrevious, service.Report{})
	if err != nil {
		l.t.Fatal(err)
	}
	return l.stored(snap)
}

func (l *lain) stored(snap service.Snapshot) *servicetest.Copy {
	l.t.Helper()
	c, err := servicetest.Store(l.t.Context(), snap)
	if err := errors.Join(err, snap.Close()); err != nil {
		l.t.Fatal(err)
	}
	return c
}

func (l *lain) content(c service.Copy, name string) string {
	l.t.Helper()
	p, err := c.Part(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	from, err := p.Open(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	text, err := io.ReadAll(from)
	if err := errors.Join(err, from.Close()); err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// verified are the findings of a comparison with a copy.
func (l *lain) verified(c service.Copy) (ids []string, v service.Verdict) {
	l.t.Helper()
	v, err := l.instance().Verify(l.t.Context(), c, service.Report{})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range v.Findings {
		ids = append(ids, strings.TrimSuffix(strings.TrimPrefix(f.ID, "dataset.")+" "+f.Subject, " "))
	}
	return ids, v
}

func findings(m service.Manifest) (ids []string) {
	for _, f := range m.Findings {
		ids = append(ids, strings.TrimPrefix(f.ID, "dataset.")+" "+f.Subject)
	}
	return ids
}

// writing lets writers go on until the test has what it wants.
func writing(t *testing.T, writers int, write func(n int64)) (stop func()) {
	var n atomic.Int64
	var all sync.WaitGroup
	over := make(chan struct{})
	for range writers {
		all.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(time.Millisecond): // a writer computes between two saves
					write(n.Add(1))
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { close(over); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// Writers that take the lock write both files in place, in pieces. No copy is torn, and
// both files are of the same save.
func TestOneSetWhileWritersHoldTheLock(t *testing.T) {
	l := lay(t)
	l.cfg.Locks, l.cfg.Also = []string{"master.lock"}, []string{"*.state.json"}
	save := func(n int64) {
		lock := l.holding("master.lock", syscall.LOCK_EX)
		defer lock.Close()
		for _, name := range []string{"a.state.json", "b.state.json"} {
			l.pieces(name, fmt.Sprintf(`{"n": %d}`, n))
		}
	}
	save(0)
	stop := writing(t, 25, save)
	for range 5 {
		c := l.copied()
		if a, b := l.content(c, "a.state.json"), l.content(c, "b.state.json"); a != b || len(c.Manifest().Findings) > 0 {
			t.Errorf("copied %q and %q: %v", a, b, c.Manifest().Findings)
		}
	}
	stop()
}

// pieces writes a file in place as json.dump does.
func (l *lain) pieces(name, text string) {
	file, err := os.Create(filepath.Join(l.dir, name))
	if err != nil {
		l.t.Error(err)
		return
	}
	defer file.Close()
	for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := file.WriteString(half); err != nil {
			l.t.Error(err)
		}
	}
}

// A writer without a lock puts one file after the other in place. Each is whole; a copy
// that says it is of one moment has files that were there at one moment.
func TestOneSetWhileFilesAreReplaced(t *testing.T) {
	l := lay(t)
	l.cfg.Also = []string{"*.state.json"}
	save := func(n int64) {
		for _, name := range []string{"a", "b"} {
			l.write(name+".tmp", fmt.Sprint(n))
			if err := os.Rename(filepath.Join(l.dir, name+".tmp"), filepath.Join(l.dir, name+".state.json")); err != nil {
				l.t.Error(err)
			}
		}
	}
	save(0)
	stop := writing(t, 1, save)
	for range 5 {
		c := l.copied()
		m := c.Manifest()
		var a, b int64
		if _, err := fmt.Sscan(l.content(c, "a.state.json")+" "+l.content(c, "b.state.json"), &a, &b); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d and %d, from %s on for %s", a, b, m.Taken, m.Until.Sub(m.Taken))
		if m.Until.IsZero() && a != b && a != b+1 || len(m.Findings) > 0 {
			t.Errorf("copied %d and %d as of one moment: %v", a, b, m.Findings)
		}
	}
	stop()
}

func TestALockThatIsNotToBeHad(t *testing.T) {
	l := lay(t)
	l.cfg.Locks, l.cfg.LockWait = []string{"master.lock"}, quantity.Duration(20*time.Millisecond)
	other := l.holding("master.lock", syscall.LOCK_EX)
	defer other.Close()
	c := l.copied()
	if got := findings(c.Manifest()); !slices.Equal(got, []string{"copied-unlocked master.lock"}) {
		t.Errorf("found %v", got)
	}
	l.write("master.json", "{}")
	err := l.instance().Restore(t.Context(), c, service.Selection{}, service.Report{})
	if text, _ := os.ReadFile(filepath.Join(l.dir, "master.json")); !errors.Is(err, service.ErrBusy) || string(text) != "{}" {
		t.Errorf("restored below a writer: %v, %s", err, text)
	}
	if left, err := filepath.Glob(filepath.Join(l.dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// What is damaged is copied as it is, and no drill takes such a copy for a good one.
func TestDamagedFilesAreCopiedAndNamed(t *testing.T) {
	l := lay(t)
	l.write("master.json", master[:120])
	l.write("incremental/a.parquet", "PAR1")
	c := l.copied()
	if got := findings(c.Manifest()); !slices.Equal(got, []string{"copied-damaged incremental/a.parquet", "copied-damaged master.json"}) {
		t.Errorf("found %v", got)
	}
	if ids, v := l.verified(c); !slices.Equal(ids, []string{"document-damaged master.json"}) || service.Worst(v.Findings) != service.Critical {
		t.Errorf("compared: %v", v.Findings)
	}
}

// Files that are too large to be copied aside are read where they lie: one that is
// replaced meanwhile as it was, one that is written in place again.
func TestLargeFilesAreReadInPlace(t *testing.T) {
	l := lay(t)
	in := l.instance()
	s, remove, err := in.newStage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.room = 0
	if err := s.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.write("new.json", `{}`)
	if err := os.Rename(filepath.Join(l.dir, "new.json"), filepath.Join(l.dir, "master.json")); err != nil {
		t.Fatal(err)
	}
	l.parquet("other.parquet", `SELECT 'gpt' AS model, 'cot' AS prompt, 3 AS total, 3 AS full_success, 0 AS partial FROM range(5)`)
	other, err := os.ReadFile(filepath.Join(l.dir, "other.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	l.write("results.parquet", string(other))
	c := l.stored(&snapshot{stage: s, identity: "x", remove: remove})
	if text := l.content(c, "master.json"); text != master {
		t.Errorf("copied %s", text)
	}
	held := contentOf(c.Manifest())
	if held["leaves"].rows != 3 || held["results"].rows != 5 {
		t.Errorf("the manifest says %v", held)
	}
}

func TestWhatDiffersIsNamedByTableAndGroup(t *testing.T) {
	l := lay(t)
	c := l.copied()
	if ids, v := l.verified(c); len(ids) > 0 {
		t.Errorf("found %v", v.Findings)
	}
	l.replace(`"gpt": {"total_tests": 3, "by_prompt": {"cot": {"total": 3, "success": 3}}}`, `"gpt": {"total_tests": 3, "by_prompt": {"cot": {"total": 3, "success": 2}}}`)
	ids, v := l.verified(c)
	if !slices.Equal(ids, []string{"file-differs", "table-differs leaves"}) {
		t.Fatalf("found %v", v.Findings)
	}
	if groups := v.Findings[1].Args["groups"]; fmt.Sprint(groups) != "[model gpt (1, tests 3 → 1, tests 3)]" {
		t.Errorf("groups %v", groups)
	}
}

func TestARestoreBringsBackTheSameBytes(t *testing.T) {
	l := lay(t)
	l.cfg.Also, l.cfg.Exclude = []string{"config/*.json"}, []string{"config/old*"}
	for _, name := range []string{"config", ".upkeep"} {
		if err := os.Mkdir(filepath.Join(l.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l.write("config/config.json", `{"key": "k"}`)
	l.write("config/old.json", `{}`)
	l.write("master_backup.json", `{}`)
	c := l.copied()
	if n := c.Manifest().Counts["files"]; n != 3 {
		t.Errorf("copied %d files", n)
	}
	l.write("master.json", "{}")
	l.remove("results.parquet")
	l.write("config/config.json", `{}`)
	l.write("incremental/later.parquet", "PAR1")
	restore := func(only string) {
		t.Helper()
		if err := l.instance().Restore(t.Context(), c, service.Selection{Only: only}, service.Report{}); err != nil {
			t.Fatal(err)
		}
	}
	restore("leaves")
	if ids, v := l.verified(c); !slices.Equal(ids, []string{"file-lacks", "file-differs", "file-extra", "file-missing results"}) {
		t.Errorf("found %v", v.Findings)
	}
	restore("config")
	restore("")
	if ids, v := l.verified(c); len(ids) > 0 {
		t.Errorf("found %v", v.Findings)
	}
	info, err := os.Stat(filepath.Join(l.dir, "config/config.json"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, name := range []string{"config/old.json", "master_backup.json"} {
		if _, err := os.Stat(filepath.Join(l.dir, name)); err != nil {
			t.Errorf("what is not declared is gone: %v", err)
		}
	}
	if err := l.instance().Restore(t.Context(), c, service.Selection{Only: "nothing"}, service.Report{}); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("a selection of nothing: %v", err)
	}
}
