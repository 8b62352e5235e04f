// Package export turns a restore point into files that stock tools read: one
// archive, or a directory. It needs no service and no daemon.
package export

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"upkeep/internal/inventory"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// Export is one point on its way out.
type Export struct {
	Repository *repository.Repository
	Inventory  *inventory.Inventory
	Point      repository.Point
	Targets    []string
	Only       string
}

type put func(h *tar.Header, content io.Reader) error

// Archive writes FILE as tar, zstd-compressed, readable by its owner only. With a
// recipient (an age public key) it is encrypted to that. The file appears under
// its name only when it is whole.
func (e Export) Archive(ctx context.Context, file, recipient string) (size int64, err error) {
	if _, err := os.Lstat(file); err == nil {
		return 0, fmt.Errorf("%s exists already: %w", file, service.ErrRefused)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".upkeep-export-*")
	if err != nil {
		return 0, fmt.Errorf("make the archive: %w", err)
	}
	err = errors.Join(e.write(ctx, f, recipient), f.Sync())
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, errors.Join(fmt.Errorf("write the archive: %w", err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return 0, errors.Join(fmt.Errorf("name the archive: %w", err), os.Remove(f.Name()))
	}
	return size, nil
}

// write stacks tar on zstd on age and closes them in that order.
func (e Export) write(ctx context.Context, out io.Writer, recipient string) error {
	closers := []io.Closer{}
	if recipient != "" {
		r, err := age.ParseX25519Recipient(recipient)
		if err != nil {
			return fmt.Errorf("read the recipient: %w", err)
		}
		sealed, err := age.Encrypt(out, r)
		if err != nil {
			return err
		}
		out, closers = sealed, append(closers, sealed)
	}
	packed, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(2))
	if err != nil {
		return err
	}
	archive := tar.NewWriter(packed)
	closers = append(closers, packed, archive)
	err = e.all(ctx, func(h *tar.Header, content io.Reader) error { return toTar(archive, h, content) })
	for i := len(closers) - 1; i >= 0; i-- {
		err = errors.Join(err, closers[i].Close())
	}
	return err
}

func toTar(archive *tar.Writer, h *tar.Header, content io.Reader) error {
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	if content == nil {
		return nil
	}
	_, err := io.Copy(archive, content)
	return err
}

// Directory writes the files below dir, which must be empty or missing, and
// returns how many there are.
func (e Export) Directory(ctx context.Context, dir string) (files int, err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return 0, fmt.Errorf("%s is not empty: %w", dir, service.ErrRefused)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("make the directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	tree := newDirectory(root)
	err = e.all(ctx, func(h *tar.Header, content io.Reader) error {
		files++
		return tree.put(h, content)
	})
	return files, errors.Join(err, tree.finish())
}

func (e Export) all(ctx context.Context, emit put) error {
	if err := emit(readme(e.Point), strings.NewReader(readmeText(e.Point))); err != nil {
		return err
	}
	for _, name := range e.Targets {
		if err := e.target(ctx, name, emit); err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
	}
	return nil
}

func (e Export) target(ctx context.Context, name string, emit put) error {
	t, ok := e.Inventory.Target(name)
	if !ok {
		return fmt.Errorf("it is no longer declared: %w", service.ErrNotFound)
	}
	in, err := t.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	extractor, err := service.As[service.Extractor](in)
	if err != nil {
		return err
	}
	c, err := e.Repository.Copy(ctx, e.Point.ID, name)
	if err != nil {
		return err
	}
	return extractor.Extract(ctx, c, service.Selection{Only: e.Only}, func(h *tar.Header, content io.Reader) error {
		if !filepath.IsLocal(h.Name) {
			return fmt.Errorf("entry %q leads out of its folder: %w", h.Name, service.ErrRefused)
		}
		h.Name = path.Join(name, h.Name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = path.Join(name, h.Linkname)
		}
		return emit(h, content)
	})
}

func readme(p repository.Point) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: "README.md", Mode: 0o600, Size: int64(len(readmeText(p))), ModTime: p.Taken}
}

func readmeText(p repository.Point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Restore point %s of %s\n\nTaken %s. One folder per target; the README.md in each says how stock tools restore it.\n\n", p.ID, p.System, p.Taken.Format(time.RFC3339))
	fmt.Fprintf(&b, "恢复点 %s（系统 %s），取自 %s。每个目标一个文件夹，其中的 README.md 说明如何用通用工具恢复。\n\n", p.ID, p.System, p.Taken.Format(time.RFC3339))
	for _, t := range p.Targets {
		fmt.Fprintf(&b, "- `%s/` (%s): %d parts, %d bytes, SHA-256 over all parts %s\n", t.Target, t.Kind, t.Parts, t.Bytes, t.SHA256)
	}
	return b.String()
}
