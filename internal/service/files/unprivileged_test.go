package files_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
	"upkeep/internal/service/files"
	"upkeep/internal/service/servicetest"
)

func mkfifo(path string) error { return unix.Mkfifo(path, 0o600) }

func blocks(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	return st.Blocks * 512
}

// asNobody runs the calling test again in a child without privileges and reports
// whether this process is that child.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	self, err := os.Executable()
	must(t, err)
	dir, err := os.MkdirTemp("/tmp", "uk")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o777))
	program := filepath.Join(dir, "test")
	must(t, exec.Command("cp", self, program).Run())
	must(t, os.Chmod(program, 0o755))
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

func TestWithoutPrivilegesClosedFilesAreNamed(t *testing.T) {
	if !asNobody(t) {
		return
	}
	env := servicetest.Env(t)
	write(t, filepath.Join(env.Base, "data/open"), "x", 0o600)
	write(t, filepath.Join(env.Base, "data/closed"), "x", 0)
	write(t, filepath.Join(env.Base, "data/shut/inside"), "x", 0o600)
	must(t, os.Chmod(filepath.Join(env.Base, "data/shut"), 0))
	t.Cleanup(func() { os.Chmod(filepath.Join(env.Base, "data/shut"), 0o700) })
	in := target(t, env, nil, "data")
	v, err := in.Check(t.Context())
	must(t, err)
	if len(v.Findings) != 1 || v.Findings[0].ID != "unreadable" || v.Findings[0].Args["n"] != int64(2) {
		t.Errorf("check found %v", v.Findings)
	}
	c := backup(t, in)
	m := c.Manifest()
	if len(m.Findings) != 1 || m.Findings[0].ID != "unreadable" || m.Findings[0].Severity != service.Critical {
		t.Errorf("the manifest names %v", m.Findings)
	}
	if m.Counts["files"] != 1 {
		t.Errorf("%d files are in the copy, want 1", m.Counts["files"])
	}
	restore(t, in, c, "")
	if _, err := os.Lstat(filepath.Join(env.Base, "data/closed")); err != nil {
		t.Errorf("a restore removed what the copy could not hold: %v", err)
	}
}

func TestWithoutPrivilegesADrillTakesPlace(t *testing.T) {
	if !asNobody(t) {
		return
	}
	env := servicetest.Env(t)
	root := filepath.Join(env.Base, "data")
	write(t, filepath.Join(root, "read-only/sub/file"), "x", 0o400)
	must(t, os.Chmod(filepath.Join(root, "read-only/sub"), 0o500))
	must(t, os.Chmod(filepath.Join(root, "read-only"), 0o555))
	t.Cleanup(func() {
		os.Chmod(filepath.Join(root, "read-only"), 0o700)
		os.Chmod(filepath.Join(root, "read-only/sub"), 0o700)
	})
	in := target(t, env, nil, "data")
	c := backup(t, in)
	scratch, err := in.Scratch(t.Context(), c, service.Report{})
	must(t, err)
	for range 2 {
		restore(t, scratch.(*files.Instance), c, "")
		equal(t, scratch.(*files.Instance), c)
	}
	v, err := scratch.(*files.Instance).Verify(t.Context(), c, service.Report{})
	if must(t, err); v.Facts["owners_compared"] != false {
		t.Errorf("owners are said to be compared: %v", v.Facts)
	}
	must(t, scratch.Close())
}
