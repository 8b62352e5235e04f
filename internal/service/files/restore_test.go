package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
	"upkeep/internal/service/files"
	"upkeep/internal/service/servicetest"
)

// forged is a copy made of parts that nobody took.
type forged []service.Part

func (f forged) Manifest() service.Manifest { return service.Manifest{} }

func (f forged) Parts(context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, p := range f {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (f forged) Part(_ context.Context, name string) (service.Part, error) {
	for _, p := range f {
		if p.Name == name {
			return p, nil
		}
	}
	return service.Part{}, service.ErrNotFound
}

func regular(name string, content io.Reader) service.Part {
	return service.Part{Name: name, Attrs: map[string]string{"type": "file", "mode": "600", "uid": "0", "gid": "0", "mtime": "1.000000000"},
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(content), nil }}
}

func with(p service.Part, name, value string) service.Part {
	p.Attrs[name] = value
	return p
}

func TestAForgedCopyChangesNothingOutside(t *testing.T) {
	cases := map[string]struct {
		name string
		want error
	}{
		"up":                               {"BASE/data/../escaped", service.ErrDamaged},
		"up at the end":                    {"BASE/data/..", service.ErrDamaged},
		"absolute":                         {"/BASE/data/x", service.ErrDamaged},
		"an empty name in between":         {"BASE/data//x", service.ErrDamaged},
		"a dot":                            {"BASE/data/./x", service.ErrDamaged},
		"NUL":                              {"BASE/data/x\x00y", service.ErrDamaged},
		"empty":                            {"", service.ErrDamaged},
		"not declared":                     {"BASE/other/x", service.ErrRefused},
		"a prefix of what is":              {"BASE/data2", service.ErrRefused},
		"a directory that is no directory": {"BASE/data/x/", service.ErrDamaged},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := servicetest.Env(t)
			write(t, filepath.Join(env.Base, "data/kept"), "kept", 0o600)
			in := target(t, env, nil, "data")
			base := strings.TrimPrefix(env.Base, "/")
			bad := forged{regular(strings.Replace(c.name, "BASE", base, 1), strings.NewReader("x"))}
			if err := in.Restore(t.Context(), bad, service.Selection{}, service.Report{}); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if got := strings.Join(copied(t, in, env.Base), " "); got != "data/ data/kept" {
				t.Errorf("after it there is %s", got)
			}
			if _, err := os.Lstat(filepath.Join(env.Base, "escaped")); !os.IsNotExist(err) {
				t.Errorf("it escaped: %v", err)
			}
		})
	}
}

func TestARestoreDoesNotFollowLinksInTheTree(t *testing.T) {
	env := servicetest.Env(t)
	outside := t.TempDir()
	write(t, filepath.Join(env.Base, "data/sub/file"), "inside", 0o600)
	in := target(t, env, nil, "data")
	c := backup(t, in)
	must(t, os.RemoveAll(filepath.Join(env.Base, "data/sub")))
	write(t, filepath.Join(outside, "file"), "outside", 0o600)
	write(t, filepath.Join(outside, "other"), "outside", 0o600)
	must(t, os.Symlink(outside, filepath.Join(env.Base, "data/sub")))
	restore(t, in, c, "")
	equal(t, in, c)
	for _, name := range []string{"file", "other"} {
		if got, err := os.ReadFile(filepath.Join(outside, name)); err != nil || string(got) != "outside" {
			t.Errorf("%s outside holds %q, %v", name, got, err)
		}
	}
}

func TestAFileThatIsALinkNowIsReplaced(t *testing.T) {
	env := servicetest.Env(t)
	outside := filepath.Join(t.TempDir(), "shadow")
	write(t, outside, "outside", 0o600)
	write(t, filepath.Join(env.Base, "a.yml"), "inside", 0o600)
	in := target(t, env, nil, "*.yml")
	c := backup(t, in)
	must(t, os.Remove(filepath.Join(env.Base, "a.yml")))
	must(t, os.Symlink(outside, filepath.Join(env.Base, "a.yml")))
	restore(t, in, c, "")
	equal(t, in, c)
	if got, err := os.ReadFile(outside); err != nil || string(got) != "outside" {
		t.Errorf("outside holds %q, %v", got, err)
	}
}

func TestARestoreLeavesWhatIsNotDeclared(t *testing.T) {
	env := servicetest.Env(t)
	write(t, filepath.Join(env.Base, "data/a.yml"), "x", 0o600)
	in := target(t, env, func(c *files.Config) { c.Exclude = []string{"cache"} }, "data", "*.conf")
	c := backup(t, in)
	write(t, filepath.Join(env.Base, "data/cache/warm"), "x", 0o600)
	write(t, filepath.Join(env.Base, "data/new/cache/warm"), "x", 0o600)
	write(t, filepath.Join(env.Base, "data/new/file"), "x", 0o600)
	write(t, filepath.Join(env.Base, "later.conf"), "x", 0o600)
	write(t, filepath.Join(env.Base, "neighbour"), "x", 0o600)
	restore(t, in, c, "")
	for path, want := range map[string]bool{"data/cache/warm": true, "data/new/cache/warm": true, "neighbour": true,
		"data/new/file": false, "later.conf": false} {
		if _, err := os.Lstat(filepath.Join(env.Base, path)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %t", path, err, want)
		}
	}
}

func TestASelectionRestoresThatAlone(t *testing.T) {
	cases := map[string]struct {
		only string
		want string // what is as in the copy again
	}{
		"a file by its path below the declared directory": {"conf/a.yml", "data/conf/a.yml"},
		"a file by its path below the declaration":        {"data/conf/a.yml", "data/conf/a.yml"},
		"a file by its absolute path":                     {"BASE/data/conf/a.yml", "data/conf/a.yml"},
		"a directory":                                     {"conf", "data/conf/a.yml data/conf/b.yml data/conf/link"},
		"a directory with a slash":                        {"conf/", "data/conf/a.yml data/conf/b.yml data/conf/link"},
		"a pattern":                                       {"**/*.yml", "data/b.yml data/conf/a.yml data/conf/b.yml"},
		"a hard link without its first name":              {"conf/link", "data/conf/link"},
		"a single declared file":                          {"single.env", "single.env"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := servicetest.Env(t)
			all := []string{"data/b.yml", "data/conf/a.yml", "data/conf/b.yml", "single.env"}
			for _, path := range all {
				write(t, filepath.Join(env.Base, path), "copied", 0o600)
			}
			must(t, os.Link(filepath.Join(env.Base, "data/b.yml"), filepath.Join(env.Base, "data/conf/link")))
			in := target(t, env, nil, "data", "single.env")
			stored := backup(t, in)
			all = append(all, "data/conf/link")
			must(t, os.RemoveAll(filepath.Join(env.Base, "data/conf")))
			for _, path := range []string{"data/b.yml", "single.env", "data/since"} {
				write(t, filepath.Join(env.Base, path), "since", 0o600)
			}
			restore(t, in, stored, strings.Replace(c.only, "BASE", env.Base, 1))
			var back []string
			for _, path := range all {
				if got, err := os.ReadFile(filepath.Join(env.Base, path)); err == nil && string(got) == "copied" {
					back = append(back, path)
				}
			}
			for _, path := range strings.Fields(c.want) {
				if !strings.Contains(strings.Join(back, " ")+" ", path+" ") {
					t.Errorf("%s is not back", path)
				}
			}
			if len(back) != len(strings.Fields(c.want)) {
				t.Errorf("restored %q, want %s", back, c.want)
			}
			if _, err := os.Stat(filepath.Join(env.Base, "data/since")); err != nil {
				t.Errorf("what was not selected is gone: %v", err)
			}
		})
	}
}

func TestASelectionOfNothingIsAnError(t *testing.T) {
	env := servicetest.Env(t)
	write(t, filepath.Join(env.Base, "data/a"), "x", 0o600)
	in := target(t, env, nil, "data")
	c := backup(t, in)
	for only, want := range map[string]error{"nothing*": service.ErrNotFound, "[": service.ErrUnsupported} {
		err := in.Restore(t.Context(), c, service.Selection{Only: only}, service.Report{})
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", only, err, want)
		}
	}
}

// small mounts a file system of that many bytes, or skips the test.
func small(t *testing.T, bytes int) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "uk")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=755", bytes)); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	return dir
}

func TestAFullDiskKeepsTheOldFile(t *testing.T) {
	env := servicetest.Env(t)
	env.Base = small(t, 1<<20)
	path := filepath.Join(env.Base, "data/file")
	write(t, path, "old", 0o600)
	in := target(t, env, nil, "data")
	big := strings.Repeat("n", 4<<20)
	name := strings.TrimPrefix(path, "/")

	announced := regular(name, strings.NewReader(big))
	announced.Size = int64(len(big))
	err := in.Restore(t.Context(), forged{directoryPart(filepath.Dir(name)), announced}, service.Selection{}, service.Report{})
	if id, _ := service.ErrorID(err); id != "files.no-room" || !errors.Is(err, service.ErrNoSpace) {
		t.Errorf("beforehand: error %s, %v", id, err)
	}
	hidden := regular(name, strings.NewReader(big)) // its size is not known: the disk fills up in the middle
	err = in.Restore(t.Context(), forged{directoryPart(filepath.Dir(name)), hidden}, service.Selection{}, service.Report{})
	if !errors.Is(err, service.ErrNoSpace) {
		t.Errorf("in the middle: error %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the file holds %.10q, %v", got, err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("there is %v, %v", left, err)
	}
}

func directoryPart(name string) service.Part {
	p := with(regular(name+"/", nil), "type", "directory")
	p.Attrs["mode"], p.Open = "755", nil
	return p
}

func TestARestoreThatBreaksOffIsRepeated(t *testing.T) {
	env := servicetest.Env(t)
	for i := range 300 {
		write(t, filepath.Join(env.Base, "data", fmt.Sprint(i%7), fmt.Sprint(i)), fmt.Sprint("content ", i), 0o640)
	}
	in := target(t, env, nil, "data")
	c := backup(t, in)
	must(t, os.RemoveAll(filepath.Join(env.Base, "data")))
	bad := servicetest.Truncate(c, strings.TrimPrefix(env.Base, "/")+"/data/3/241")
	if err := in.Restore(t.Context(), bad, service.Selection{}, service.Report{}); !errors.Is(err, service.ErrDamaged) {
		t.Fatalf("error %v, want ErrDamaged", err)
	}
	restore(t, in, c, "")
	equal(t, in, c)
}

func TestOneFilesystemLeavesOutWhatIsMounted(t *testing.T) {
	env := servicetest.Env(t)
	write(t, filepath.Join(env.Base, "data/file"), "x", 0o600)
	mount := filepath.Join(env.Base, "data/mounted")
	must(t, os.Mkdir(mount, 0o755))
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(mount, 0)) })
	write(t, filepath.Join(mount, "inside"), "x", 0o600)
	for only, want := range map[bool]string{false: "data/ data/file data/mounted/ data/mounted/inside", true: "data/ data/file data/mounted/"} {
		in := target(t, env, func(c *files.Config) { c.OneFilesystem = only }, "data")
		if got := strings.Join(copied(t, in, env.Base), " "); got != want {
			t.Errorf("one_filesystem %t: %s", only, got)
		}
	}
	in := target(t, env, func(c *files.Config) { c.OneFilesystem = true }, "data")
	restore(t, in, backup(t, in), "")
	if _, err := os.Stat(filepath.Join(mount, "inside")); err != nil {
		t.Errorf("a restore removed what is mounted: %v", err)
	}
}

func TestSocketsAreLeftAlone(t *testing.T) {
	env := servicetest.Env(t)
	write(t, filepath.Join(env.Base, "d/f"), "x", 0o600)
	must(t, unix.Mknod(filepath.Join(env.Base, "d/s"), unix.S_IFSOCK|0o600, 0))
	in := target(t, env, nil, "d")
	c := backup(t, in)
	if got := strings.Join(copied(t, in, env.Base), " "); got != "d/ d/f" || c.Manifest().Attrs["sockets_left_out"] != "1" {
		t.Errorf("copied %s, %v", got, c.Manifest().Attrs)
	}
	restore(t, in, c, "")
	equal(t, in, c)
	if _, err := os.Lstat(filepath.Join(env.Base, "d/s")); err != nil {
		t.Errorf("the socket is gone: %v", err)
	}
}
