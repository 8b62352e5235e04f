package corpus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Change is a change of one percent of a tree that can be taken back: one file in
// a hundred gets new content and new length, and one large file gets one percent
// of its length inserted in its middle.
type Change struct {
	dir   string
	files []file // as they were
}

// Apply changes the tree that Build made of s.
func Apply(dir string, s Spec) (*Change, error) {
	c := &Change{dir: dir}
	all := plan(s)
	for i := s.Large + 7; i < len(all); i += 100 {
		c.files = append(c.files, all[i])
		if err := write(dir, changed(all[i])); err != nil {
			return nil, fmt.Errorf("change %s: %w", all[i].path, err)
		}
	}
	if s.Large > 0 {
		c.files = append(c.files, all[0])
		if err := insert(dir, all[0]); err != nil {
			return nil, fmt.Errorf("insert into %s: %w", all[0].path, err)
		}
	}
	return c, nil
}

// Revert brings the old bytes and times back.
func (c *Change) Revert() error {
	for _, f := range c.files {
		if err := write(c.dir, f); err != nil {
			return fmt.Errorf("take the change of %s back: %w", f.path, err)
		}
	}
	return nil
}

func changed(f file) file {
	f.seed++
	f.size += f.size/10 + 1
	f.when = base.Add(time.Hour)
	return f
}

// insert writes the file anew: half of the old content, new text, the other half.
func insert(dir string, f file) error {
	path := filepath.Join(dir, f.path)
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	grown, err := os.Create(path + ".new")
	if err != nil {
		return errors.Join(err, old.Close())
	}
	_, err = io.CopyN(grown, old, f.size/2)
	if err == nil {
		err = writeText(grown, f.seed+1, f.size/100)
	}
	if err == nil {
		_, err = io.Copy(grown, old)
	}
	if err := errors.Join(err, old.Close(), grown.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	when := base.Add(time.Hour)
	return os.Chtimes(path, when, when)
}
