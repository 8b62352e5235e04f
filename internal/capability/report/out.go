package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"upkeep/internal/service"
)

// Save writes a file beside its name and names it when it is whole: nobody reads half a
// report. It replaces a file of that name, and nothing else. The file is its owner's alone.
func Save(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return &service.Fault{ID: "report.no-file", Args: service.Args{"file": path}, Err: fmt.Errorf("write %s: %w", path, service.ErrRefused)}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &service.Fault{ID: "report.no-folder", Args: service.Args{"file": path}, Err: fmt.Errorf("write %s: %w", path, service.ErrNotFound)}
	case err != nil:
		return fmt.Errorf("write the report: %w", err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
