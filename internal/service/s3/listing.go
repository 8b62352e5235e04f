package s3

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
)

// chain is all that there is of one key: the current version first, then the
// earlier ones from the oldest on. A chain is held in memory, never two of them
// for one listing.
type chain struct {
	key     string
	objects []object
}

// inOrder yields the objects as they came to be: the current one last.
func (c *chain) inOrder() []object {
	if len(c.objects) == 0 || !c.objects[0].current() {
		return c.objects
	}
	return append(slices.Clone(c.objects[1:]), c.objects[0])
}

// list yields what the bucket holds, with all versions where history is asked for,
// in ascending order of the parts' names.
func (in *Instance) list(ctx context.Context, c *client, history bool) iter.Seq2[chain, error] {
	return func(yield func(chain, error) bool) {
		for one, err := range chained(in.entries(ctx, c, history)) {
			if !yield(one.named(), err) {
				return
			}
		}
	}
}

// entries yields a listing as the server gives it: keys in order, the versions of one
// from the newest on.
func (in *Instance) entries(ctx context.Context, c *client, history bool) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		last := ""
		for info := range c.ListObjectsIter(ctx, in.cfg.Bucket, in.listOptions(c, history)) {
			err := explain(info.Err)
			if err == nil {
				err = orderly(last, info.Key)
			}
			if err != nil {
				yield(object{}, fmt.Errorf("list %s: %w", in.cfg.Bucket, err))
				return
			}
			last = info.Key
			if !in.cfg.excluded(info.Key) && !yield(fromListing(info, c.minio.Load()), nil) {
				return
			}
		}
		// The library ends a listing without an error when the context does.
		if err := ctx.Err(); err != nil {
			yield(object{}, fmt.Errorf("list %s: %w", in.cfg.Bucket, explain(err)))
		}
	}
}

// chained groups objects that come one after the other by key. What was begun when an
// error comes is not told.
func chained(all iter.Seq2[object, error]) iter.Seq2[chain, error] {
	return func(yield func(chain, error) bool) {
		var one chain
		for o, err := range all {
			if err != nil {
				yield(chain{}, err)
				return
			}
			if len(one.objects) > 0 && one.key != o.key {
				if !yield(one, nil) {
					return
				}
				one = chain{}
			}
			one.key = o.key
			one.objects = append(one.objects, o)
		}
		if len(one.objects) > 0 {
			yield(one, nil)
		}
	}
}

func (in *Instance) listOptions(c *client, history bool) minio.ListObjectsOptions {
	return minio.ListObjectsOptions{Prefix: in.cfg.Prefix, Recursive: true, WithVersions: history, WithMetadata: c.minio.Load()}
}

// orderly holds a server to the order that S3 promises.
func orderly(last, key string) error {
	if key < last {
		return fmt.Errorf("the server lists %q after %q, which is not in order: %w", key, last, service.ErrUnsupported)
	}
	if strings.Contains(key, separator) {
		return fmt.Errorf("key %q holds a zero byte: %w", key, service.ErrUnsupported)
	}
	return nil
}

// named gives the earlier versions, which a server lists from the newest on, their
// names and their order.
func (c chain) named() chain {
	if len(c.objects) < 2 {
		return c
	}
	earlier := c.objects[1:]
	slices.Reverse(earlier)
	var milli int64
	sequence := 0
	for i := range earlier {
		at := max(earlier[i].modified.UnixMilli(), milli)
		if at > milli {
			sequence = 0
		}
		earlier[i].name = nameVersion(c.key, at, sequence, earlier[i].version)
		milli = at
		sequence++
	}
	return c
}

// chainsOf groups the parts of a copy by key.
func chainsOf(ctx context.Context, c service.Copy) iter.Seq2[chain, error] {
	return chained(objectsOf(ctx, c))
}

// objectsOf reads the parts of a copy and holds it to its order.
func objectsOf(ctx context.Context, c service.Copy) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		last, first := "", true
		for p, err := range c.Parts(ctx) {
			if err == nil && !first && p.Name <= last {
				err = fmt.Errorf("part %q comes after %q: %w", p.Name, last, service.ErrDamaged)
			}
			if err != nil {
				yield(object{}, fmt.Errorf("list the copy: %w", err))
				return
			}
			last, first = p.Name, false
			o, err := fromPart(p)
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// ancestors are the keys before the present one, in order, that it begins with.
type ancestors []string

// hold reports whether a key lies below an earlier one, as a/b does below a. The
// marker of a directory, a/, does not.
func (a *ancestors) hold(key string) bool {
	for len(*a) > 0 && !strings.HasPrefix(key, (*a)[len(*a)-1]) {
		*a = (*a)[:len(*a)-1]
	}
	return slices.ContainsFunc(*a, func(earlier string) bool {
		return len(key) > len(earlier)+1 && strings.HasPrefix(key, earlier+"/")
	})
}

func (a *ancestors) add(key string) { *a = append(*a, key) }

// pair walks two sequences of chains side by side, by key. visit gets what there is
// of a key on either side, nil where there is nothing.
func pair(left, right iter.Seq2[chain, error], visit func(left, right *chain) error) error {
	l, r := newCursor(left), newCursor(right)
	defer l.stop()
	defer r.stop()
	for {
		a, err := l.peek()
		if err != nil {
			return err
		}
		b, err := r.peek()
		if err != nil {
			return err
		}
		switch {
		case a == nil && b == nil:
			return nil
		case b == nil || a != nil && a.key < b.key:
			b = nil
		case a == nil || b.key < a.key:
			a = nil
		}
		if a != nil {
			l.head = nil
		}
		if b != nil {
			r.head = nil
		}
		if err := visit(a, b); err != nil {
			return err
		}
	}
}

// cursor is a sequence whose next chain can be looked at.
type cursor struct {
	next  func() (chain, error, bool)
	stop  func()
	head  *chain
	ended bool
}

func newCursor(s iter.Seq2[chain, error]) *cursor {
	next, stop := iter.Pull2(s)
	return &cursor{next: next, stop: stop}
}

func (c *cursor) peek() (*chain, error) {
	if c.head != nil || c.ended {
		return c.head, nil
	}
	one, err, more := c.next()
	if err != nil {
		return nil, err
	}
	if !more {
		c.ended = true
		return nil, nil
	}
	c.head = &one
	return c.head, nil
}
