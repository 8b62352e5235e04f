package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// Asking for metadata, where a listing does not tell it: so many objects are waited
// for together, so many questions are under way.
const (
	describeBatch = 256
	describers    = 16
)

// describe asks for the metadata and tags of one object.
func (in *Instance) describe(ctx context.Context, c *client, o *object) error {
	info, err := c.StatObject(ctx, in.cfg.Bucket, o.key, minio.StatObjectOptions{VersionID: o.version})
	if err != nil {
		return fmt.Errorf("describe %q: %w", o.key, explain(err))
	}
	o.attrs = map[string]string{attrClass: o.attrs[attrClass]}
	if o.attrs[attrClass] == "" {
		delete(o.attrs, attrClass)
	}
	for name := range info.Headers {
		o.header(name, info.Headers.Get(name))
	}
	tags, err := c.GetObjectTagging(ctx, in.cfg.Bucket, o.key, minio.GetObjectTaggingOptions{VersionID: o.version})
	err = explain(err)
	switch {
	case codeOf(err) == minio.NoSuchTagSet, errors.Is(err, service.ErrUnsupported):
	case err != nil:
		return fmt.Errorf("ask for the tags of %q: %w", o.key, err)
	default:
		for name, value := range tags.ToMap() {
			o.attrs[tagPrefix+name] = value
		}
	}
	o.known = true
	return nil
}

// described yields objects with their metadata, in the order they came. What the
// listing did not tell is taken from the previous copy where the content has not
// changed, else asked for. gone is told of objects that are no longer there.
func (in *Instance) described(ctx context.Context, c *client, all iter.Seq2[object, error], prev service.Copy, gone func(object)) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		memory := recall(ctx, prev)
		defer memory.stop()
		w := &waiting{in: in, client: c, gone: gone, yield: yield}
		for o, err := range all {
			if err == nil && !o.known {
				err = memory.fill(&o)
			}
			if err != nil {
				yield(object{}, err)
				return
			}
			if !w.take(ctx, o) {
				return
			}
		}
		w.flush(ctx)
	}
}

// waiting holds back objects until those before them are described.
type waiting struct {
	in     *Instance
	client *client
	gone   func(object)
	yield  func(object, error) bool
	batch  []object
}

// take reports whether more are wanted.
func (w *waiting) take(ctx context.Context, o object) bool {
	if o.known && len(w.batch) == 0 {
		return w.yield(o, nil)
	}
	w.batch = append(w.batch, o)
	return len(w.batch) < describeBatch || w.flush(ctx)
}

func (w *waiting) flush(ctx context.Context) bool {
	gone, err := w.in.ask(ctx, w.client, w.batch)
	if err != nil {
		w.yield(object{}, err)
		return false
	}
	for i, o := range w.batch {
		if gone[i] {
			w.gone(o)
			continue
		}
		if !w.yield(o, nil) {
			return false
		}
	}
	w.batch = w.batch[:0]
	return true
}

// ask describes those of a batch that need it, side by side, and says which are gone.
func (in *Instance) ask(ctx context.Context, c *client, batch []object) ([]bool, error) {
	gone := make([]bool, len(batch))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(describers)
	for i := range batch {
		if batch[i].known {
			continue
		}
		group.Go(func() error {
			err := in.describe(asking, c, &batch[i])
			if errors.Is(err, service.ErrNotFound) {
				gone[i] = true
				return nil
			}
			return err
		})
	}
	return gone, group.Wait()
}

// memory is the previous copy, read along with a listing.
type memory struct {
	next func() (service.Part, error, bool)
	stop func()
	head *service.Part
}

func recall(ctx context.Context, prev service.Copy) *memory {
	if prev == nil {
		return &memory{stop: func() {}}
	}
	next, stop := iter.Pull2(prev.Parts(ctx))
	return &memory{next: next, stop: stop}
}

// fill takes the attributes of the same object from the previous copy, if it has
// them. Objects come in ascending order.
func (m *memory) fill(o *object) error {
	for m.next != nil && (m.head == nil || m.head.Name < o.name) {
		p, err, more := m.next()
		if err != nil {
			return fmt.Errorf("read the previous copy: %w", err)
		}
		if m.head = &p; !more {
			m.next, m.head = nil, nil
		}
	}
	if m.head != nil && m.head.Name == o.name && m.head.Identity == o.contentIdentity() {
		o.attrs, o.known = maps.Clone(m.head.Attrs), true
	}
	return nil
}
