package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// verifiers read contents back side by side.
const verifiers = 8

// holder is what a copy is compared with: a bucket or a directory.
type holder interface {
	chains(ctx context.Context) iter.Seq2[chain, error]
	// know fills in attributes that the chains do not tell.
	know(ctx context.Context, o *object) error
	read(ctx context.Context, o *object) (io.ReadCloser, error)
}

// held is the declared bucket as a holder.
type held struct {
	in      *Instance
	client  *client
	history bool
}

func (h *held) chains(ctx context.Context) iter.Seq2[chain, error] {
	return h.in.list(ctx, h.client, h.history)
}

func (h *held) know(ctx context.Context, o *object) error { return h.in.know(ctx, h.client, o) }

func (h *held) read(ctx context.Context, o *object) (io.ReadCloser, error) {
	return h.in.read(ctx, h.client, o)
}

// Verify compares the bucket with the copy: every key and version, its metadata and
// tags, and every byte of its content. On a bucket in use all that was written since
// is a difference, and is named as one.
func (in *Instance) Verify(ctx context.Context, c service.Copy, r service.Report) (v service.Verdict, err error) {
	cl, err := in.connect(ctx)
	if err != nil {
		return v, err
	}
	b, err := in.look(ctx, cl)
	if err != nil {
		return v, err
	}
	if !b.there {
		return verify(ctx, nothing{}, c, in.env.Now(), true, r)
	}
	history := in.history(b)
	return verify(ctx, &held{in: in, client: cl, history: history}, c, in.env.Now(), history || in.cfg.Versions, r)
}

// nothing is a bucket that is not there.
type nothing struct{}

func (nothing) chains(context.Context) iter.Seq2[chain, error] {
	return func(func(chain, error) bool) {}
}
func (nothing) know(context.Context, *object) error { return service.ErrNotFound }
func (nothing) read(context.Context, *object) (io.ReadCloser, error) {
	return nil, service.ErrNotFound
}

// verify compares a holder with a copy, key by key. Without history only the current
// objects are compared.
func verify(ctx context.Context, h holder, c service.Copy, now time.Time, history bool, r service.Report) (service.Verdict, error) {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(verifiers)
	m := c.Manifest()
	v := &verification{holder: h, ctx: reading, group: group, now: now, history: history, report: r,
		total: m.Counts["bytes"], here: newTally(), copied: tallyAs(m.Entries)}
	err := pair(h.chains(reading), chainsOf(reading, c), func(have, want *chain) error {
		v.visit(have, want)
		return reading.Err()
	})
	if failed := group.Wait(); failed != nil {
		err = failed
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return service.Verdict{}, fmt.Errorf("compare with the copy: %w", err)
	}
	return v.verdict(m), nil
}

type verification struct {
	holder  holder
	ctx     context.Context // of the readers of this one comparison
	group   *errgroup.Group
	now     time.Time
	history bool
	report  service.Report
	total   int64
	read    atomic.Int64
	here    *tally
	copied  *tally

	mu                      sync.Mutex
	missing, differs, extra sample
}

func (v *verification) note(s *sample, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.add(name)
}

func (v *verification) visit(have, want *chain) {
	if have != nil {
		for i := range have.objects {
			v.here.add(&have.objects[i])
		}
	}
	if want == nil {
		v.note(&v.extra, have.key)
		return
	}
	for i := range want.objects {
		v.copied.add(&want.objects[i])
	}
	wanted := v.wanted(want)
	switch {
	case have == nil && len(wanted) > 0:
		v.note(&v.missing, want.key)
	case have != nil && len(have.objects) != len(wanted):
		v.note(&v.differs, fmt.Sprintf("%s (%d versions, the copy has %d)", want.key, len(have.objects), len(wanted)))
	case have != nil:
		for i, o := range have.inOrder() {
			v.compare(o, wanted[i])
		}
	}
}

// wanted is what of a chain is compared.
func (v *verification) wanted(c *chain) []object {
	all := c.inOrder()
	if v.history {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(o object) bool { return !o.current() || o.marker })
}

// compare reads the content beside the walk.
func (v *verification) compare(have, want object) {
	v.group.Go(func() error {
		what, err := v.difference(&have, &want)
		switch {
		case errors.Is(err, service.ErrNotFound), errors.Is(err, service.ErrChanged):
			what = "changed meanwhile"
		case err != nil:
			return err
		}
		if what != "" {
			if !want.current() {
				what = "an earlier version: " + what
			}
			v.note(&v.differs, want.key+" ("+what+")")
		}
		v.report.Add(v.read.Add(have.size), v.total)
		return nil
	})
}

// difference says in what two objects differ, "" for nothing.
func (v *verification) difference(have, want *object) (string, error) {
	if have.marker || want.marker {
		if have.marker != want.marker {
			return "deleted on one side", nil
		}
		return "", nil
	}
	if have.size != want.size {
		return "size", nil
	}
	if err := v.holder.know(v.ctx, have); err != nil {
		return "", err
	}
	if differs := v.attrs(have, want); len(differs) > 0 {
		return strings.Join(differs, ", "), nil
	}
	there, err := digestContent(func() (io.ReadCloser, error) { return v.holder.read(v.ctx, have) })
	if err != nil {
		return "", err
	}
	copied, err := promisedDigest(v.ctx, want)
	if err == nil && there != copied {
		return "content", nil
	}
	return "", err
}

// attrs names the headers, metadata and tags that are not the same.
func (v *verification) attrs(have, want *object) []string {
	a, b := restorable(have.attrs, v.now), restorable(want.attrs, v.now)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if a[name] != b[name] {
			names = append(names, name)
		}
		delete(a, name)
	}
	return append(names, slices.Sorted(maps.Keys(a))...)
}

func (v *verification) verdict(m service.Manifest) (found service.Verdict) {
	for _, sort := range []struct {
		slug string
		sample
	}{{"objects-missing", v.missing}, {"objects-differ", v.differs}, {"objects-extra", v.extra}} {
		if sort.n > 0 {
			found.Crit(sort.slug, "", sort.args())
		}
	}
	v.promises(&found, m)
	for name, n := range v.here.counts() {
		found.Set(name, n)
	}
	return found
}

// promises holds the copy's own list of parts to its manifest.
func (v *verification) promises(found *service.Verdict, m service.Manifest) {
	listed := v.copied.counts()
	same := func(a, b service.Entry) bool { return a.Name == b.Name && a.Count == b.Count && a.Digest == b.Digest }
	if maps.Equal(listed, m.Counts) && slices.EqualFunc(v.copied.list(), m.Entries, same) {
		return
	}
	found.Crit("copy-differs", "", service.Args{"objects": listed["objects"], "promised": m.Counts["objects"],
		"bytes": listed["bytes"], "promised_bytes": m.Counts["bytes"]})
}
