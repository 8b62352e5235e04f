package files_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// listed takes a snapshot and all its parts without reading any.
func listed(t *testing.T, in service.Source) (service.Snapshot, map[string]service.Part) {
	t.Helper()
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	t.Cleanup(func() { must(t, snap.Close()) })
	parts := map[string]service.Part{}
	for p, err := range snap.Parts(t.Context()) {
		must(t, err)
		parts[filepath.Base(p.Name)] = p
	}
	return snap, parts
}

func findings(t *testing.T, snap service.Snapshot) string {
	t.Helper()
	m, err := snap.Manifest(t.Context())
	must(t, err)
	return slugs(m.Findings)
}

func TestAFileThatChangesUnderItsReader(t *testing.T) {
	changes := map[string]func(path string) error{
		"grows":   func(path string) error { return appendTo(path, "more") },
		"shrinks": func(path string) error { return os.Truncate(path, 3) },
		"is overwritten in place": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte("X"), 0)
			return errors.Join(err, f.Close())
		},
		"is overwritten with its old time": func(path string) error {
			st, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(appendTo(path, ""), os.WriteFile(path, []byte(strings.Repeat("b", int(st.Size()))), 0o600),
				os.Chtimes(path, st.ModTime(), st.ModTime()))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			env := servicetest.Env(t)
			path := filepath.Join(env.Base, "log")
			write(t, path, strings.Repeat("a", 100_000), 0o600)
			snap, parts := listed(t, target(t, env, nil, "log"))
			if _, err := readWith(t, parts["log"], func() { must(t, change(path)) }); !errors.Is(err, service.ErrChanged) {
				t.Fatalf("first reading: error %v, want ErrChanged", err)
			}
			if got := findings(t, snap); got != "" {
				t.Errorf("findings after one reading: %s", got)
			}
			_, err := readWith(t, parts["log"], func() { must(t, appendTo(path, "again")) })
			must(t, err)
			if got := findings(t, snap); got != "changing" {
				t.Errorf("findings after two: %q, want changing", got)
			}
		})
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// readWith reads a part and calls between after the first bytes.
func readWith(t *testing.T, p service.Part, between func()) (string, error) {
	t.Helper()
	r, err := p.Open(t.Context())
	if err != nil {
		return "", err
	}
	defer r.Close()
	first := make([]byte, 2)
	if _, err := io.ReadFull(r, first); err != nil {
		return "", err
	}
	time.Sleep(2 * tick) // the clock of file times must move on for a write to show
	between()
	rest, err := io.ReadAll(r)
	return string(first) + string(rest), err
}

// tick is above the resolution of the kernel's clock for file times.
const tick = 10 * time.Millisecond

func TestAFileThatIsReadAgainIsWhole(t *testing.T) {
	env := servicetest.Env(t)
	path := filepath.Join(env.Base, "log")
	write(t, path, strings.Repeat("a", 1000), 0o600)
	_, parts := listed(t, target(t, env, nil, "log"))
	_, err := readWith(t, parts["log"], func() { must(t, appendTo(path, "more")) })
	if !errors.Is(err, service.ErrChanged) {
		t.Fatal(err)
	}
	got, err := readWith(t, parts["log"], func() {})
	if want := strings.Repeat("a", 1000) + "more"; err != nil || got != want {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
}

func TestWhatCannotBeReadIsLeftOutAndNamed(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "outside", 0o644)
	cases := map[string]struct {
		path   string // declared; "" for the base
		before func(t *testing.T, path string)
		want   string
	}{
		"gone": {"", func(t *testing.T, path string) { must(t, os.Remove(path)) }, "vanished"},
		"swapped for a link that leads out": {"", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Symlink(outside, path))
		}, "vanished"},
		"swapped for a pipe": {"", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, mkfifo(path))
		}, "vanished"},
		"its directory swapped for a link that leads out": {"", func(t *testing.T, path string) {
			must(t, os.RemoveAll(filepath.Dir(path)))
			must(t, os.Symlink(filepath.Dir(outside), filepath.Dir(path)))
		}, "vanished"},
		"a disk error": {"/proc/self/mem", func(*testing.T, string) {}, "unreadable"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := servicetest.Env(t)
			write(t, filepath.Join(env.Base, "dir/sub/outside"), "inside", 0o644)
			declared, base := "dir", "outside"
			if c.path != "" {
				declared, base = c.path, filepath.Base(c.path)
			}
			snap, parts := listed(t, target(t, env, nil, declared))
			c.before(t, filepath.Join(env.Base, "dir/sub/outside"))
			content, err := readWith(t, parts[base], func() {})
			if !errors.Is(err, service.ErrNotFound) {
				t.Fatalf("read %q, error %v; want ErrNotFound", content, err)
			}
			if got := findings(t, snap); got != c.want {
				t.Errorf("findings %q, want %s", got, c.want)
			}
			m, err := snap.Manifest(t.Context())
			if must(t, err); m.Counts["files"] != 0 || m.Counts["bytes"] != 0 {
				t.Errorf("what was left out is counted: %v", m.Counts)
			}
		})
	}
}

func TestReadingStopsWithItsContext(t *testing.T) {
	env := servicetest.Env(t)
	write(t, filepath.Join(env.Base, "file"), strings.Repeat("a", 1000), 0o600)
	_, parts := listed(t, target(t, env, nil, "file"))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := parts["file"].Open(ctx)
	must(t, err)
	defer r.Close()
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestAnUnchangedFileKeepsItsIdentity(t *testing.T) {
	cases := map[string]struct {
		change func(path string) error
		same   bool
	}{
		"untouched": {func(string) error { return nil }, true},
		"overwritten in the same second with the same length and time": {func(path string) error {
			st, err := os.Stat(path)
			return errors.Join(err, os.WriteFile(path, []byte("new"), 0o600), os.Chtimes(path, st.ModTime(), st.ModTime()))
		}, false},
		"given another mode": {func(path string) error { return os.Chmod(path, 0o640) }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := servicetest.Env(t)
			path := filepath.Join(env.Base, "file")
			write(t, path, "old", 0o600)
			in := target(t, env, nil, "file")
			first := settled(t, in)
			must(t, c.change(path))
			if second := settled(t, in); (first == second) != c.same {
				t.Errorf("identity %q, then %q", first, second)
			}
		})
	}
}

// settled returns the identity of the only file once it has one: a file that was
// just written has none.
func settled(t *testing.T, in service.Source) string {
	t.Helper()
	for range 200 {
		_, parts := listed(t, in)
		if id := parts["file"].Identity; id != "" {
			return id
		}
		time.Sleep(tick)
	}
	t.Fatal("the file never got an identity")
	return ""
}

func TestASparseFileCostsLittle(t *testing.T) {
	env := servicetest.Env(t)
	path := filepath.Join(env.Base, "data/sparse")
	write(t, path, "", 0o600)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	for _, at := range []int64{0, 128 << 20, 1<<28 - 5} {
		_, err := f.WriteAt([]byte("data!"), at)
		must(t, err)
	}
	must(t, f.Truncate(1<<28+7))
	must(t, f.Close())
	in := target(t, env, nil, "data")
	c := backup(t, in)
	must(t, os.Remove(path))
	restore(t, in, c, "")
	equal(t, in, c)
	if used := blocks(t, path); used > 1<<20 {
		t.Errorf("the restored file takes %d bytes on disk", used)
	}
}
