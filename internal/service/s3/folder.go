package s3

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// folder is the scratch where there is no server: a private directory that holds the
// contents under names made of digests, and an index of all parts in their order.
type folder struct {
	in     *Instance
	dir    string
	remove func() error
}

var (
	_ service.Restorer   = (*folder)(nil)
	_ service.Verifier   = (*folder)(nil)
	_ service.Identifier = (*folder)(nil)
	_ holder             = (*folder)(nil)
)

func (in *Instance) newFolder() (*folder, error) {
	dir, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return nil, fmt.Errorf("make a scratch directory: %w: %w", err, service.ErrNoScratch)
	}
	return &folder{in: in, dir: dir, remove: remove}, nil
}

// line is one part in the index. JSON replaces bytes that are no UTF-8, so the name
// is kept as bytes.
type line struct {
	Name  []byte            `json:"name"`
	Size  int64             `json:"size"`
	Attrs map[string]string `json:"attrs"`
}

func (f *folder) index() string { return filepath.Join(f.dir, "index") }

func (f *folder) file(name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(f.dir, hex.EncodeToString(sum[:]))
}

// Identity names the directory.
func (f *folder) Identity(context.Context) (string, error) { return "directory " + f.dir, nil }

// Close removes everything. It may be called again.
func (f *folder) Close() error { return f.remove() }

// Restore writes the selected parts and a new index, which takes the place of the old
// one at the end.
func (f *folder) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	chosen, err := newSelection(sel)
	if err == nil {
		err = chosen.demand(ctx, c)
	}
	if err != nil {
		return err
	}
	out, err := os.Create(f.index() + ".new")
	if err != nil {
		return fmt.Errorf("make the index: %w", err)
	}
	w := &filling{folder: f, report: r, total: c.Manifest().Counts["bytes"], to: bufio.NewWriter(out)}
	err = w.all(ctx, c, chosen)
	if err = errors.Join(err, w.to.Flush(), out.Close()); err != nil {
		return fmt.Errorf("fill the scratch directory: %w", err)
	}
	return os.Rename(f.index()+".new", f.index())
}

type filling struct {
	folder *folder
	report service.Report
	total  int64
	done   atomic.Int64
	to     *bufio.Writer
}

// all merges what is selected of the copy into what is there.
func (w *filling) all(ctx context.Context, c service.Copy, sel selection) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(restorers)
	err := pair(w.folder.chains(working), chainsOf(working, c), func(have, want *chain) error {
		switch {
		case want != nil && sel.has(want.key):
			return w.take(working, group, want)
		case have != nil && !sel.all():
			return w.list(have)
		}
		return working.Err()
	})
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

func (w *filling) take(ctx context.Context, group *errgroup.Group, c *chain) error {
	for i := range c.objects {
		o := &c.objects[i]
		if !o.marker {
			group.Go(func() error { return w.put(ctx, o) })
		}
	}
	return errors.Join(w.list(c), ctx.Err())
}

func (w *filling) list(c *chain) error {
	for i := range c.objects {
		o := &c.objects[i]
		text, err := json.Marshal(line{[]byte(o.name), o.size, o.partAttrs()})
		if err != nil {
			return fmt.Errorf("write the index: %w", err)
		}
		if _, err := w.to.Write(append(text, '\n')); err != nil {
			return fmt.Errorf("write the index: %w", err)
		}
	}
	return nil
}

func (w *filling) put(ctx context.Context, o *object) (err error) {
	content, err := guarded(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	file, err := os.OpenFile(w.folder.file(o.name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("put %q: %w", o.name, err)
	}
	_, err = io.Copy(file, content)
	w.report.Add(w.done.Add(o.size), w.total)
	return errors.Join(err, file.Close())
}

// Verify reads every file back.
func (f *folder) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	v, err := verify(ctx, f, c, f.in.env.Now(), true, r)
	v.Set(factScratch, "directory")
	return v, err
}

// chains reads the index.
func (f *folder) chains(ctx context.Context) iter.Seq2[chain, error] {
	return chainsOf(ctx, listed{f})
}

// know has nothing to ask: the index holds it all.
func (f *folder) know(context.Context, *object) error { return nil }

func (f *folder) read(_ context.Context, o *object) (io.ReadCloser, error) {
	return os.Open(f.file(o.name))
}

// listed is the index in the shape of a copy.
type listed struct{ folder *folder }

func (l listed) Manifest() service.Manifest { return service.Manifest{} }

func (l listed) Part(context.Context, string) (service.Part, error) {
	return service.Part{}, service.ErrUnsupported
}

func (l listed) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		file, err := os.Open(l.folder.index())
		if errors.Is(err, os.ErrNotExist) {
			return // nothing was restored yet
		}
		if err != nil {
			yield(service.Part{}, err)
			return
		}
		defer func() { _ = file.Close() }() // it was only read
		for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
			var one line
			err := decoder.Decode(&one)
			if errors.Is(err, io.EOF) {
				return
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(service.Part{}, fmt.Errorf("read the index: %w", err))
				return
			}
			name := string(one.Name)
			open := func(context.Context) (io.ReadCloser, error) { return os.Open(l.folder.file(name)) }
			if !yield(service.Part{Name: name, Size: one.Size, Attrs: one.Attrs, Open: open}, nil) {
				return
			}
		}
	}
}
