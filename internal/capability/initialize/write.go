package initialize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"upkeep/internal/service"
)

// Free returns an error wrapping service.ErrRefused where there is a file, or
// anything else, of that name.
func Free(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		return taken(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("look at %s: %w", path, err)
}

func taken(path string) error {
	return &service.Fault{ID: "init.exists", Args: service.Args{"file": path},
		Err: fmt.Errorf("%s exists already: %w", path, service.ErrRefused)}
}

// Write makes a file of mode 0644, whole or not at all, and never over another:
// where one has appeared meanwhile the error is that of Free.
func Write(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".upkeep-init-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = publish(f.Name(), path, content)
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// publish gives the finished file its name. Linking fails where the name is
// taken, which renaming does not; a file system without links gets the content
// under a name that nobody had.
func publish(finished, path string, content []byte) error {
	err := os.Link(finished, path)
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		return taken(path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return taken(path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
