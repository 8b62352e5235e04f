package files_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
	"upkeep/internal/service/files"
	"upkeep/internal/service/servicetest"
)

// deepen makes a chain of directories whose path is longer than the 4096 bytes
// that a system call takes, with a file at its end.
func deepen(t *testing.T, top string) {
	t.Helper()
	write(t, filepath.Join(top, "beside"), "x", 0o600)
	dir, err := unix.Open(top, unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	for range 600 {
		must(t, unix.Mkdirat(dir, "directory-name", 0o755))
		below, err := unix.Openat(dir, "directory-name", unix.O_PATH|unix.O_CLOEXEC, 0)
		must(t, err)
		must(t, unix.Close(dir))
		dir = below
	}
	file, err := unix.Openat(dir, "file", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	must(t, err)
	_, err = unix.Write(file, []byte("deep"))
	must(t, err)
	must(t, unix.Close(file))
	must(t, unix.Close(dir))
}

func TestADeepTree(t *testing.T) {
	env := servicetest.Env(t)
	deepen(t, filepath.Join(env.Base, "data"))
	in := target(t, env, nil, "data")
	c := backup(t, in)
	if m := c.Manifest(); m.Counts["directories"] != 601 || m.Counts["bytes"] != 5 || len(m.Findings) > 0 {
		t.Errorf("manifest %v, %v", m.Counts, m.Findings)
	}
	scratch, err := in.Scratch(t.Context(), c, service.Report{})
	must(t, err)
	defer scratch.Close()
	restore(t, scratch.(*files.Instance), c, "")
	equal(t, scratch.(*files.Instance), c)
	restore(t, in, c, "")
	equal(t, in, c)
}
