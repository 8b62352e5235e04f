package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
	"upkeep/internal/service/files"
	"upkeep/internal/service/servicetest"
)

// target opens the kind over paths; change may alter the configuration.
func target(t testing.TB, env service.Env, change func(*files.Config), paths ...string) *files.Instance {
	t.Helper()
	cfg := files.Kind.NewConfig().(*files.Config)
	cfg.Paths = paths
	if change != nil {
		change(cfg)
	}
	if err := files.Kind.Validate(cfg).Err(); err != nil {
		t.Fatal(err)
	}
	in, err := files.Kind.Open(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in.(*files.Instance)
}

func backup(t testing.TB, in *files.Instance) *servicetest.Copy {
	t.Helper()
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	c, err := servicetest.Store(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func restore(t testing.TB, in *files.Instance, c service.Copy, only string) {
	t.Helper()
	if err := in.Restore(t.Context(), c, service.Selection{Only: only}, service.Report{}); err != nil {
		t.Fatal(err)
	}
}

// equal fails unless in holds exactly what c promises.
func equal(t testing.TB, in *files.Instance, c service.Copy) {
	t.Helper()
	v, err := in.Verify(t.Context(), c, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range v.Findings {
		t.Errorf("%s %s: %v", f.Severity, f.ID, f.Args)
	}
}

func write(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hostile are names that shells, terminals and naive code trip over.
var hostile = []string{
	"plain", "with space", " leading", "trailing ", "new\nline", "tab\t", "quote'", `double"`, "$(reboot)", "`id`", "*", "?", "[a]", "{a,b}",
	`back\slash`, "-rf", "~", "#", "é", "文件", "bad\xff\xfeutf8", "a.b", "a", "a-b", "a b", "..dots", "...", "\x1b[31mred", strings.Repeat("x", 255),
}

// everything makes a tree with one of each thing there can be.
func everything(t testing.TB, root string) {
	for i, name := range hostile {
		write(t, filepath.Join(root, "names", name), fmt.Sprint("content ", i), 0o644)
		write(t, filepath.Join(root, "dirs", name, name), fmt.Sprint("deep ", i), 0o640)
	}
	write(t, filepath.Join(root, "modes/setuid"), "x", 0o755|os.ModeSetuid)
	write(t, filepath.Join(root, "modes/setgid"), "x", 0o755|os.ModeSetgid)
	write(t, filepath.Join(root, "modes/none"), "x", 0)
	must(t, os.Mkdir(filepath.Join(root, "modes/sticky"), 0o777))
	must(t, os.Chmod(filepath.Join(root, "modes/sticky"), 0o777|os.ModeSticky))
	write(t, filepath.Join(root, "links/first"), "shared", 0o644)
	must(t, os.Link(filepath.Join(root, "links/first"), filepath.Join(root, "links/second")))
	must(t, os.Link(filepath.Join(root, "links/first"), filepath.Join(root, "names/third")))
	must(t, os.Symlink("../names", filepath.Join(root, "links/loop")))
	must(t, os.Symlink(".", filepath.Join(root, "links/self")))
	must(t, os.Symlink("/nowhere\xff\n", filepath.Join(root, "links/broken")))
	must(t, unix.Mkfifo(filepath.Join(root, "links/pipe"), 0o620))
	must(t, os.Mkdir(filepath.Join(root, "empty"), 0o700))
	write(t, filepath.Join(root, "empty-file"), "", 0o600)
	write(t, filepath.Join(root, "attrs/file"), "x", 0o600)
	must(t, unix.Setxattr(filepath.Join(root, "attrs/file"), "user.note", []byte("n\x00\xffte"), 0))
	must(t, unix.Setxattr(filepath.Join(root, "attrs"), "user.note", []byte("dir"), 0))
	must(t, unix.Setxattr(filepath.Join(root, "attrs/file"), "system.posix_acl_access", acl, 0))
	future := unix.Timespec{Sec: 4102444800, Nsec: 123456789}
	old := unix.Timespec{Sec: -86400, Nsec: 1}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(root, "names/plain"), []unix.Timespec{future, future}, 0))
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(root, "dirs"), []unix.Timespec{old, old}, 0))
	if os.Geteuid() == 0 {
		must(t, os.Lchown(filepath.Join(root, "links/broken"), 1234, 2345))
		must(t, os.Chown(filepath.Join(root, "names/a"), 65534, 65534))
		must(t, unix.Mknod(filepath.Join(root, "links/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	}
	must(t, os.Chmod(filepath.Join(root, "dirs"), 0o555))
}

// acl is user::rw-, user:1:r--, group::---, mask::r--, other::---.
var acl = []byte{2, 0, 0, 0,
	1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255,
	16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255}

func TestEverythingSurvivesADrill(t *testing.T) {
	env := servicetest.Env(t)
	root := filepath.Join(env.Base, "data")
	everything(t, root)
	in := target(t, env, nil, "data")
	c := backup(t, in)
	if f := c.Manifest().Findings; len(f) > 0 {
		t.Errorf("the copy lacks something: %v", f)
	}
	equal(t, in, c)
	scratch, err := in.Scratch(t.Context(), c, service.Report{})
	must(t, err)
	defer scratch.Close()
	restore(t, scratch.(*files.Instance), c, "")
	equal(t, scratch.(*files.Instance), c)
	restore(t, scratch.(*files.Instance), c, "")
	equal(t, scratch.(*files.Instance), c)
}

func TestEverythingSurvivesARestoreInPlace(t *testing.T) {
	env := servicetest.Env(t)
	root := filepath.Join(env.Base, "data")
	everything(t, root)
	in := target(t, env, nil, "data")
	c := backup(t, in)
	must(t, os.Chmod(filepath.Join(root, "dirs"), 0o755))
	must(t, os.RemoveAll(filepath.Join(root, "names")))
	must(t, os.RemoveAll(filepath.Join(root, "dirs", "plain")))
	write(t, filepath.Join(root, "dirs", "plain"), "a file where a directory was", 0o600)
	must(t, os.Remove(filepath.Join(root, "empty-file")))
	must(t, os.MkdirAll(filepath.Join(root, "empty-file/now/a/directory"), 0o755))
	write(t, filepath.Join(root, "new/deep/file"), "made since", 0o600)
	write(t, filepath.Join(root, "attrs/file"), "changed", 0o600)
	v, err := in.Verify(t.Context(), c, service.Report{})
	must(t, err)
	if got := slugs(v.Findings); got != "missing differs extra" {
		t.Errorf("findings before the restore: %s", got)
	}
	restore(t, in, c, "")
	equal(t, in, c)
	if _, err := os.Stat(filepath.Join(root, "new")); !os.IsNotExist(err) {
		t.Errorf("what is not in the copy was left: %v", err)
	}
}

func slugs(findings []service.Finding) string {
	var all []string
	for _, f := range findings {
		all = append(all, f.ID)
	}
	return strings.Join(all, " ")
}
