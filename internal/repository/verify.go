package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// VerifyOptions narrow a verification.
type VerifyOptions struct {
	Sample float64 // share of the parts whose content is read, drawn anew each time; 0 and 1 = all
}

// Damage is one thing that a restore would miss.
type Damage struct {
	Target string // empty: of the repository itself
	Part   string // its name; empty: of the copy as a whole, or a range that Detail names
	Detail string
	Object string // kopia's name of what could not be read
}

// Verified is what a verification read and found. Damaged ends at a thousand
// entries; DamagedParts counts them all.
type Verified struct {
	Bytes        int64 // of content read
	Parts        int64 // whose content was read
	Skipped      int64 // with content, left out by Sample
	Damaged      []Damage
	DamagedParts int64
}

const damageLimit = 1000

// Verify reads and authenticates every byte that a restore of the point needs:
// every index of the repository, the indexes, directories and manifests of its
// copies, and the content of all parts, whose size and SHA-256 it compares.
// Nothing comes from a cache. Damage is data; an error means that it could not
// be told: a disk that does not answer, a permission, a cancelled context.
func (r *Repository) Verify(ctx context.Context, id string, opt VerifyOptions, report service.Report) (Verified, error) {
	p, err := r.find(ctx, id)
	if err != nil {
		return Verified{}, err
	}
	if opt.Sample <= 0 || opt.Sample > 1 {
		opt.Sample = 1
	}
	v := &verification{repo: r, sample: opt.Sample, progress: &progress{report: report}}
	for _, c := range p.stored() {
		v.progress.total += c.Bytes
	}
	if err := v.run(ctx, p); err != nil {
		return v.found, fmt.Errorf("verify point %s: %w", p.id, err)
	}
	return v.found, nil
}

type verification struct {
	repo     *Repository
	sample   float64
	progress *progress

	mu    sync.Mutex
	found Verified
}

func (v *verification) run(ctx context.Context, p *records) error {
	if err := v.indexBlobs(ctx); err != nil {
		return err
	}
	if p.sealed != nil {
		for name, id := range p.sealed.Files {
			if err := v.object(ctx, declarationName, name, id); err != nil {
				return err
			}
		}
	}
	for _, c := range p.stored() {
		if err := v.held(ctx, p.id, c.Target); err != nil {
			return err
		}
		if err := v.copy(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// held looks for kopia's snapshot of a copy: without it maintenance would take
// the content away.
func (v *verification) held(ctx context.Context, point, target string) error {
	found, err := v.repo.snapshots(ctx, point, target)
	if err == nil && found == 0 {
		err = fmt.Errorf("its kopia snapshot was deleted; the content goes with the next full maintenance: %w", service.ErrDamaged)
	}
	return v.note(Damage{Target: target}, err)
}

// note takes damage as found and anything else as an error.
func (v *verification) note(d Damage, err error) error {
	if err == nil || !errors.Is(err, service.ErrDamaged) {
		return err
	}
	d.Detail = err.Error()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found.DamagedParts++
	if len(v.found.Damaged) < damageLimit {
		v.found.Damaged = append(v.found.Damaged, d)
	}
	return nil
}

// indexBlobs reads kopia's indexes from the disk, not those in memory.
func (v *verification) indexBlobs(ctx context.Context) error {
	blobs, err := v.repo.reader.IndexBlobs(ctx, false)
	if err != nil {
		return v.note(Damage{Part: "index"}, readError(err))
	}
	for _, b := range blobs {
		err := v.repo.reader.loadIndexBlob(ctx, b.BlobID)
		if err := v.note(Damage{Part: "index " + string(b.BlobID)}, readError(err)); err != nil {
			return err
		}
	}
	return nil
}

// object reads one small object to its end.
func (v *verification) object(ctx context.Context, target, part, id string) error {
	err := func() error {
		r, err := openObject(ctx, v.repo.reader, id)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(io.Discard, r)
		return readError(err)
	}()
	return v.note(Damage{Target: target, Part: part, Object: id}, err)
}

func (v *verification) copy(ctx context.Context, c copyRecord) error {
	if err := v.object(ctx, c.Target, "", c.Root); err != nil {
		return err
	}
	opened, err := v.repo.openCopy(ctx, c)
	if err != nil {
		return v.note(Damage{Target: c.Target, Object: c.Contents}, err)
	}
	sum := sha256.New()
	todo := make(chan entry)
	g, ctx := errgroup.WithContext(ctx)
	for range v.repo.opt.Parallel {
		g.Go(func() error { return v.readParts(ctx, c.Target, todo) })
	}
	whole := true
	g.Go(func() error {
		defer close(todo)
		whole, err = v.pages(ctx, c.Target, opened.contents, sum, todo)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if whole && hex.EncodeToString(sum.Sum(nil)) != c.SHA256 {
		return v.note(Damage{Target: c.Target}, fmt.Errorf("its index lists other parts than were stored: %w", service.ErrDamaged))
	}
	return nil
}

// pages reads index and directory of every page and sends the parts on. whole
// reports that every index could be read.
func (v *verification) pages(ctx context.Context, target string, c contents, sum hash.Hash, todo chan<- entry) (whole bool, err error) {
	whole = true
	for _, page := range c.Pages {
		if err := v.object(ctx, target, "", page.Dir); err != nil {
			return false, err
		}
		for e, err := range entries(ctx, v.repo.reader, page) {
			if err != nil {
				whole = false
				err = fmt.Errorf("parts %q to %q: %w", string(page.First), string(page.Last), err)
				if err := v.note(Damage{Target: target, Object: page.Index}, err); err != nil {
					return false, err
				}
				break
			}
			e.addTo(sum)
			if err := v.send(ctx, e, todo); err != nil {
				return false, err
			}
		}
	}
	return whole, nil
}

func (v *verification) send(ctx context.Context, e entry, todo chan<- entry) error {
	if e.Object == "" {
		return nil
	}
	if v.sample < 1 && rand.Float64() >= v.sample {
		v.mu.Lock()
		v.found.Skipped++
		v.mu.Unlock()
		v.progress.add(e.Size)
		return nil
	}
	select {
	case todo <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *verification) readParts(ctx context.Context, target string, todo <-chan entry) error {
	buffer := make([]byte, bufferSize)
	for e := range todo {
		n, err := v.readPart(ctx, e, buffer)
		if err := v.note(Damage{Target: target, Part: string(e.Name), Object: e.Object}, err); err != nil {
			return err
		}
		v.mu.Lock()
		v.found.Parts++
		v.found.Bytes += n
		v.mu.Unlock()
	}
	return nil
}

func (v *verification) readPart(ctx context.Context, e entry, buffer []byte) (int64, error) {
	r, err := openContent(ctx, v.repo.reader, e)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var size int64
	for {
		n, err := r.Read(buffer)
		size += int64(n)
		v.progress.add(int64(n))
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return size, err
		}
	}
}
