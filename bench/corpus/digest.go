package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Digest is one value over names, sizes and contents of all regular files below
// dir, so that a restored tree can be compared with its source.
func Digest(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q ", name)
		return addFile(sum, path)
	})
	if err != nil {
		return "", fmt.Errorf("read the tree %s: %w", dir, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func addFile(sum io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	n, err := io.Copy(sum, f)
	fmt.Fprintf(sum, " %d\n", n)
	return errors.Join(err, f.Close())
}

// Size is the sum of the lengths of all regular files below dir.
func Size(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", dir, err)
	}
	return size, nil
}

// Find returns the root of a tree that Build made and somebody restored somewhere
// below dir: tools differ in how much of the old path they keep.
func Find(dir string) (string, error) {
	root := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "archive" {
			root = filepath.Dir(path)
			return fs.SkipAll
		}
		return nil
	})
	if err != nil || root == "" {
		return "", fmt.Errorf("find the restored tree below %s: %w", dir, errors.Join(err, fs.ErrNotExist))
	}
	return root, nil
}
