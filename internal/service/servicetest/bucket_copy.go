package servicetest

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"upkeep/internal/service"
)

func removeAll(env service.Env, purpose string) error {
	left, err := env.Leftovers(purpose)
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// Snapshot freezes the bucket: objects are values.
func (f *fake) Snapshot(ctx context.Context, _ service.Previous, _ service.Report) (service.Snapshot, error) {
	if err := f.bucket.reach(ctx); err != nil {
		return nil, err
	}
	keys, bytes, objects := f.bucket.view()
	return &frozen{bucket: f.bucket, taken: f.env.Now(), keys: keys, bytes: bytes, objects: objects}, nil
}

type frozen struct {
	bucket  *Bucket
	taken   time.Time
	keys    []string
	bytes   int64
	objects map[string]object
}

func (s *frozen) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, key := range s.keys {
			if err := s.bucket.reach(ctx); err != nil {
				yield(service.Part{}, err)
				return
			}
			o := s.objects[key]
			p := service.Part{Name: key, Size: int64(len(o.content)), Identity: o.etag, Open: s.opener(o.content)}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s *frozen) opener(content string) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) {
		s.bucket.opened.Add(1)
		return io.NopCloser(strings.NewReader(content)), ctx.Err()
	}
}

func (s *frozen) Manifest(context.Context) (service.Manifest, error) {
	return service.Manifest{Taken: s.taken, Version: "1", Identity: s.bucket.name,
		Counts: map[string]int64{"objects": int64(len(s.keys)), "bytes": s.bytes}}, nil
}

func (s *frozen) Close() error { return nil }

func (f *fake) Restore(ctx context.Context, c service.Copy, sel service.Selection, _ service.Report) error {
	if err := f.bucket.reach(ctx); err != nil {
		return err
	}
	kept := map[string]bool{}
	for p, err := range c.Parts(ctx) {
		if err != nil {
			return err
		}
		if !selected(sel, p.Name) {
			continue
		}
		kept[p.Name] = true
		content, err := read(ctx, p)
		if err != nil {
			return fmt.Errorf("restore %s: %w", p.Name, err)
		}
		f.bucket.Put(p.Name, content)
	}
	f.drop(sel, kept)
	return nil
}

func (f *fake) drop(sel service.Selection, kept map[string]bool) {
	keys, _, _ := f.bucket.view()
	for _, key := range keys {
		if selected(sel, key) && !kept[key] {
			f.bucket.Delete(key)
		}
	}
}

// read returns the content of a part and holds it to its digest.
func read(ctx context.Context, p service.Part) (string, error) {
	r, err := p.Open(ctx)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", err
	}
	if digest(string(content)) != p.SHA256 {
		return "", fmt.Errorf("content has another digest: %w", service.ErrDamaged)
	}
	return string(content), nil
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func (f *fake) Verify(ctx context.Context, c service.Copy, _ service.Report) (v service.Verdict, err error) {
	if err := f.bucket.reach(ctx); err != nil {
		return v, err
	}
	keys, bytes, objects := f.bucket.view()
	var missing, differs, listed int64
	for p, err := range c.Parts(ctx) {
		if err != nil {
			return v, err
		}
		listed++
		o, there := objects[p.Name]
		delete(objects, p.Name)
		switch {
		case !there:
			missing++
		case digest(o.content) != p.SHA256:
			differs++
		}
	}
	missing += max(0, c.Manifest().Counts["objects"]-listed)
	v.Set("objects", len(keys))
	v.Set("bytes", bytes)
	for slug, n := range map[string]int64{"missing": missing, "differs": differs, "extra": int64(len(objects))} {
		if n > 0 {
			v.Crit(slug, "", service.Args{"n": n})
		}
	}
	return v, nil
}

func (f *fake) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) error {
	const text = "One file per object.\n"
	if err := put(&tar.Header{Name: "README.md", Size: int64(len(text)), Mode: 0o600}, strings.NewReader(text)); err != nil {
		return err
	}
	for p, err := range c.Parts(ctx) {
		if err != nil {
			return err
		}
		if !selected(sel, p.Name) {
			continue
		}
		content, err := read(ctx, p)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: "objects/" + hex.EncodeToString([]byte(p.Name)), Size: p.Size, Mode: 0o600}
		if err := put(h, strings.NewReader(content)); err != nil {
			return err
		}
	}
	return nil
}
