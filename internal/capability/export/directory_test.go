package export

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNoEntryLeavesItsDirectory(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]tar.Header{
		"a name with dots":        {{Typeflag: tar.TypeReg, Name: "../escaped"}},
		"dots further in":         {{Typeflag: tar.TypeReg, Name: "a/../../escaped"}},
		"an absolute name":        {{Typeflag: tar.TypeReg, Name: filepath.Join(outside, "escaped")}},
		"through a link":          {{Typeflag: tar.TypeSymlink, Name: "out", Linkname: outside}, {Typeflag: tar.TypeReg, Name: "out/escaped"}},
		"through a link upwards":  {{Typeflag: tar.TypeSymlink, Name: "up", Linkname: ".."}, {Typeflag: tar.TypeReg, Name: "up/escaped"}},
		"a folder through a link": {{Typeflag: tar.TypeSymlink, Name: "out", Linkname: outside}, {Typeflag: tar.TypeDir, Name: "out/escaped"}},
		"a hard link to outside":  {{Typeflag: tar.TypeLink, Name: "hard", Linkname: "../secret"}},
		"over an earlier file":    {{Typeflag: tar.TypeReg, Name: "a"}, {Typeflag: tar.TypeReg, Name: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			dir := filepath.Join(place, "dir")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(place, "secret"), []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			for i, h := range entries {
				h.Mode = 0o600
				err = toDirectory(root, &h, strings.NewReader("x"), map[string]*tar.Header{})
				if (err != nil) != (i == len(entries)-1) {
					t.Errorf("entry %d: %v", i, err)
				}
			}
			for _, where := range []string{place, outside} {
				if _, err := os.Lstat(filepath.Join(where, "escaped")); err == nil {
					t.Errorf("something was written into %s", where)
				}
			}
		})
	}
}

func TestFoldersGetTheirModeAndTimeLast(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	folders := map[string]*tar.Header{}
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "locked", Mode: 0o500, Uid: os.Getuid(), Gid: os.Getgid(), ModTime: when},
		{Typeflag: tar.TypeReg, Name: "locked/file", Mode: 0o4755, Uid: os.Getuid(), Gid: os.Getgid(), ModTime: when},
	} {
		if err := toDirectory(root, &h, strings.NewReader("x"), folders); err != nil {
			t.Fatal(err)
		}
	}
	if err := finish(root, folders); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"locked": os.ModeDir | 0o500, "locked/file": os.ModeSetuid | 0o755} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != mode || !info.ModTime().Equal(when) {
			t.Errorf("%s: %v %v, %v", name, info.Mode(), info.ModTime(), err)
		}
	}
}
