package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// restorers bring back keys side by side. A large object takes a buffer of 16 MiB.
const restorers = 4

// Restore makes each key what it is in the copy: its versions in their order, the
// current one last. What is already so stays untouched. New versions are written
// before others are removed, so that no key is missing meanwhile, and a second call
// after an interrupted one ends in the same state. Version numbers and times are the
// server's own.
func (in *Instance) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	chosen, err := newSelection(sel)
	if err != nil {
		return err
	}
	if err := chosen.demand(ctx, c); err != nil {
		return err
	}
	cl, err := in.connect(ctx)
	if err != nil {
		return err
	}
	w := &restoration{in: in, client: cl, copy: c, sel: chosen, report: r, total: c.Manifest().Counts["bytes"]}
	if err := w.prepare(ctx); err != nil {
		return err
	}
	return w.finish(ctx, w.run(ctx))
}

type restoration struct {
	in      *Instance
	client  *client
	copy    service.Copy
	sel     selection
	report  service.Report
	total   int64
	done    atomic.Int64
	history bool // the target keeps versions and they are wanted
	suspend bool // versioning is to be off again at the end
}

// prepare makes the bucket and switches versioning on where the copy has versions.
// With versioning suspended a version would replace the one before it.
func (w *restoration) prepare(ctx context.Context) error {
	m := w.copy.Manifest()
	b, err := w.in.look(ctx, w.client)
	if err != nil {
		return err
	}
	if m.Attrs[attrBucket] == absent {
		return w.refuseNothing(ctx, b)
	}
	if !b.there {
		options := minio.MakeBucketOptions{Region: w.in.cfg.Region, ObjectLocking: m.Attrs[attrObjectLock] == "yes"}
		if err := w.client.MakeBucket(ctx, w.in.cfg.Bucket, options); err != nil {
			return fmt.Errorf("make bucket %s: %w", w.in.cfg.Bucket, explain(err))
		}
		if b, err = w.in.look(ctx, w.client); err != nil {
			return err
		}
	}
	copied := m.Attrs[attrVersioning]
	w.suspend = copied == minio.Suspended || copied == "" && b.versioning == minio.Suspended
	w.history = w.in.cfg.Versions && (copied != "" || b.versioning != "")
	if !w.history || b.versioning == minio.Enabled {
		return nil
	}
	if err := w.client.EnableVersioning(ctx, w.in.cfg.Bucket); err != nil {
		return fmt.Errorf("switch versioning of %s on: %w", w.in.cfg.Bucket, explain(err))
	}
	return nil
}

// refuseNothing lets a copy of a bucket that was not there yet empty nobody's bucket.
func (w *restoration) refuseNothing(ctx context.Context, b bucket) error {
	if !b.there {
		return nil
	}
	for _, err := range w.in.list(ctx, w.client, false) {
		if err != nil {
			return err
		}
		return &service.Fault{ID: "s3.copy-of-nothing", Args: service.Args{"bucket": w.in.cfg.Bucket},
			Err: fmt.Errorf("the copy was made before bucket %s existed: %w", w.in.cfg.Bucket, service.ErrRefused)}
	}
	return nil
}

func (w *restoration) finish(ctx context.Context, err error) error {
	if err != nil || !w.history || !w.suspend {
		return err
	}
	if err := w.client.SuspendVersioning(ctx, w.in.cfg.Bucket); err != nil {
		return fmt.Errorf("suspend the versioning of %s again: %w", w.in.cfg.Bucket, explain(err))
	}
	return nil
}

func (w *restoration) run(ctx context.Context) error {
	if w.copy.Manifest().Attrs[attrBucket] == absent {
		return nil
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(restorers)
	here := w.in.list(working, w.client, w.history)
	err := pair(here, chainsOf(working, w.copy), func(have, want *chain) error {
		w.each(working, group, have, want)
		return working.Err()
	})
	// A worker's own error comes first: it is why the listing was cancelled.
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

// each lets a worker see to one key. What the copy does not hold is removed only when
// all of it is restored.
func (w *restoration) each(ctx context.Context, group *errgroup.Group, have, want *chain) {
	if have == nil {
		have = &chain{key: want.key}
	}
	if want == nil {
		if !w.sel.all() {
			return
		}
		want = &chain{key: have.key}
	}
	if w.sel.has(have.key) {
		group.Go(func() error { return w.bring(ctx, have.inOrder(), w.wanted(want)) })
	}
}

// wanted is what the target can hold of a chain: without versions only the current
// object, and nothing where that was deleted.
func (w *restoration) wanted(c *chain) []object {
	all := c.inOrder()
	if w.history || len(all) == 0 {
		return all
	}
	last := all[len(all)-1]
	if last.marker || !last.current() {
		return nil
	}
	return []object{last}
}

// bring makes what is there what is wanted: beyond the beginning that both share,
// the wanted is written and then the old removed.
func (w *restoration) bring(ctx context.Context, have, want []object) error {
	common := 0
	for common < len(have) && common < len(want) {
		same, err := w.same(ctx, &have[common], &want[common])
		if err != nil {
			return err
		}
		if !same {
			break
		}
		w.progress(want[common].size)
		common++
	}
	for i := range want[common:] {
		if err := w.put(ctx, &want[common+i]); err != nil {
			return err
		}
	}
	if !w.history && len(want) > common {
		return nil // what was there has just been replaced
	}
	for i := range have[common:] {
		if err := w.remove(ctx, &have[common+i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *restoration) progress(size int64) { w.report.Add(w.done.Add(size), w.total) }

// same compares an object with the copy. One that is still the very version that was
// copied is not read; any other is, because no tag of a server says what it holds.
func (w *restoration) same(ctx context.Context, have, want *object) (bool, error) {
	if have.marker || want.marker {
		return have.marker == want.marker, nil
	}
	if have.size != want.size {
		return false, nil
	}
	err := w.in.know(ctx, w.client, have)
	if errors.Is(err, service.ErrNotFound) {
		return false, nil // removed meanwhile
	}
	if err != nil {
		return false, err
	}
	now := w.in.env.Now()
	if !maps.Equal(restorable(have.attrs, now), restorable(want.attrs, now)) {
		return false, nil
	}
	if have.version != "" && have.contentIdentity() == want.contentIdentity() {
		return true, nil
	}
	there, err := digestContent(func() (io.ReadCloser, error) { return w.in.read(ctx, w.client, have) })
	if errors.Is(err, service.ErrNotFound) || errors.Is(err, service.ErrChanged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	copied, err := promisedDigest(ctx, want)
	return there == copied, err
}

// know asks for what a listing did not tell.
func (in *Instance) know(ctx context.Context, c *client, o *object) error {
	if o.known {
		return nil
	}
	return in.describe(ctx, c, o)
}

// remove takes one version away, or the object where the target keeps none.
func (w *restoration) remove(ctx context.Context, o *object) error {
	err := w.client.RemoveObject(ctx, w.in.cfg.Bucket, o.key, minio.RemoveObjectOptions{VersionID: o.version})
	if err == nil || errors.Is(explain(err), service.ErrNotFound) {
		return nil
	}
	if o.attrs[attrLockMode] != "" || o.attrs[attrHold] != "" {
		return &service.Fault{ID: "s3.locked", Args: service.Args{"key": o.key, "until": o.attrs[attrLockTill]},
			Err: fmt.Errorf("remove %q: %w: %w", o.key, err, service.ErrRefused)}
	}
	return fmt.Errorf("remove %q: %w", o.key, explain(err))
}
