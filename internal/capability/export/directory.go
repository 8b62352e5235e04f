package export

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// toDirectory writes one entry below root. Nothing can leave it: the root refuses
// every name and link that would.
func toDirectory(root *os.Root, h *tar.Header, content io.Reader, folders map[string]*tar.Header) error {
	name := path.Clean(h.Name)
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make the folder of %q: %w", name, err)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		folders[name] = h
		if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return root.Link(h.Linkname, name)
	case tar.TypeReg, 0: // 0: a header that leaves the type to package tar
		return writeFile(root, name, h, content)
	}
	return nil // devices and sockets have no content to bring back
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
func finish(root *os.Root, folders map[string]*tar.Header) error {
	var errs []error
	for name, h := range folders {
		errs = append(errs, own(root, name, h), root.Chtimes(name, h.ModTime, h.ModTime))
	}
	return errors.Join(errs...)
}
