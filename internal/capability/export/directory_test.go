package export

import (
	"archive/tar"
	"errors"
	"io/fs"
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
			tree := newDirectory(root)
			for i, h := range entries {
				h.Mode = 0o600
				err := errors.Join(tree.put(&h, strings.NewReader("x")), tree.writing.Wait())
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
	tree := newDirectory(root)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "locked", Mode: 0o500, Uid: os.Getuid(), Gid: os.Getgid(), ModTime: when},
		{Typeflag: tar.TypeReg, Name: "locked/file", Mode: 0o4755, Uid: os.Getuid(), Gid: os.Getgid(), ModTime: when},
	} {
		if err := tree.put(&h, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.finish(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"locked": os.ModeDir | 0o500, "locked/file": os.ModeSetuid | 0o755} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != mode || !info.ModTime().Equal(when) {
			t.Errorf("%s: %v %v, %v", name, info.Mode(), info.ModTime(), err)
		}
	}
}

func TestLinksAndWhatComesAfterThem(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tree := newDirectory(root)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "a", Mode: 0o600, Size: 1}, {Typeflag: tar.TypeLink, Name: "b", Linkname: "a"},
		{Typeflag: tar.TypeReg, Name: "c", Mode: 0o600, Size: 1}, {Typeflag: tar.TypeLink, Name: "d", Linkname: "c"},
	} {
		if err := tree.put(&h, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.finish(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "x" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestOneFileThatCannotBeWrittenEndsItAll(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tree := newDirectory(root)
	header := func(name string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: 1}
	}
	for _, name := range []string{"a", "a"} {
		if err := tree.put(header(name), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	_ = tree.writing.Wait()
	if err := tree.put(header("b"), strings.NewReader("x")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the next file: %v", err)
	}
	if err := tree.finish(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the end: %v", err)
	}
}
