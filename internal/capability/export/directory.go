package export

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Small files are written beside the reading of the next ones: making a file costs
// the kernel more than its bytes. At most (writersAtOnce + 1) × small bytes are held.
const (
	small         = 1 << 20
	writersAtOnce = 2
)

// directory is a tree in the making. Nothing can leave its root, which refuses
// every name and link that would.
type directory struct {
	root    *os.Root
	folders map[string]*tar.Header
	writing errgroup.Group
	failed  atomic.Bool // a file could not be written: Wait says which
}

func newDirectory(root *os.Root) *directory {
	d := &directory{root: root, folders: map[string]*tar.Header{}}
	d.writing.SetLimit(writersAtOnce)
	return d
}

// put writes one entry, or begins to.
func (d *directory) put(h *tar.Header, content io.Reader) error {
	if d.failed.Load() {
		return d.writing.Wait()
	}
	name := path.Clean(h.Name)
	if err := d.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make the folder of %q: %w", name, err)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		d.folders[name] = h
		if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case tar.TypeSymlink:
		return d.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return d.link(h.Linkname, name)
	case tar.TypeReg, 0: // 0: a header that leaves the type to package tar
		return d.file(name, h, content)
	}
	return nil // devices and sockets have no content to bring back
}

// link names a file once more. It may still be in the writing.
func (d *directory) link(file, name string) error {
	if err := d.writing.Wait(); err != nil {
		return err
	}
	return d.root.Link(file, name)
}

func (d *directory) file(name string, h *tar.Header, content io.Reader) error {
	if content == nil || h.Size > small {
		return writeFile(d.root, name, h, content)
	}
	data, err := io.ReadAll(content) // to its end: only there it is known to be authentic
	if err != nil {
		return fmt.Errorf("read %q: %w", name, err)
	}
	d.writing.Go(func() error {
		err := writeFile(d.root, name, h, bytes.NewReader(data))
		if err != nil {
			d.failed.Store(true)
		}
		return err
	})
	return nil
}

func writeFile(root *os.Root, name string, h *tar.Header, content io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if content != nil {
		_, err = io.Copy(f, content)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	return errors.Join(own(root, name, h), root.Chtimes(name, h.ModTime, h.ModTime))
}

// own gives back owner and mode; an ordinary user cannot give files away and
// keeps them.
func own(root *os.Root, name string, h *tar.Header) error {
	if os.Getuid() == 0 {
		if err := root.Lchown(name, h.Uid, h.Gid); err != nil && !errors.Is(err, syscall.EPERM) {
			return err
		}
	}
	return root.Chmod(name, h.FileInfo().Mode().Perm()|h.FileInfo().Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
}

// finish comes last: writing into a directory changes its time, and a read-only
// one takes no files.
func (d *directory) finish() error {
	errs := []error{d.writing.Wait()}
	for name, h := range d.folders {
		errs = append(errs, own(d.root, name, h), d.root.Chtimes(name, h.ModTime, h.ModTime))
	}
	return errors.Join(errs...)
}
