package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// SmallDisk mounts a file system of so many bytes for the length of the test and
// returns its directory. It needs root: without, the test is skipped.
func SmallDisk(t TB, bytes int64) string {
	t.Helper()
	Need(t, "root")
	dir, err := tempDir()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() { remove(t, dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0711", bytes)); err != nil {
		t.Fatalf("lab: mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		// A server that ends late may hold a file: detach at once, free when it lets go.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Fatalf("lab: unmount the small disk: %v", err)
		}
	})
	return dir
}

// FillDisk writes into dir until the disk has no room, and returns how to free it.
// Use it with SmallDisk only.
func FillDisk(t TB, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatalf("lab: fill the disk: %v", err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("lab: fill the disk: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatalf("lab: fill the disk: %v", err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatalf("lab: free the disk: %v", err)
		}
	}
}
