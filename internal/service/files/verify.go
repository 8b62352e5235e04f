package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// Verify compares everything declared with the copy: types, modes, owners, times,
// link targets, attributes and every byte of content.
func (in *Instance) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	w := in.newWalk()
	defer w.close()
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	v := &verification{walk: w, describer: newDescriber(w.gaps), group: group, ctx: reading, report: r,
		total: c.Manifest().Counts["bytes"], owned: os.Geteuid() == 0, here: &totals{gaps: w.gaps}, stored: &totals{}}
	v.buffers.New = newBuffer
	err := w.merge(reading, c, v.visit)
	// A reader's own error comes first: it is why the walk was cancelled.
	if failed := group.Wait(); failed != nil {
		err = failed
	}
	if err != nil {
		return service.Verdict{}, fmt.Errorf("compare with the copy: %w", err)
	}
	return v.verdict(c.Manifest()), ctx.Err()
}

type verification struct {
	walk      *walk
	describer *describer
	group     *errgroup.Group
	ctx       context.Context // of the readers of this one comparison
	report    service.Report
	buffers   sync.Pool
	total     int64
	owned     bool
	here      *totals // what was found and read
	stored    *totals // what the copy lists

	mu                      sync.Mutex
	missing, differs, extra sample
}

func (v *verification) visit(p *service.Part, e *entry, next string) error {
	switch {
	case p == nil:
		if kindOf(e.stat.Mode) != "" && !leadsTo(e, next) {
			v.note(&v.extra, e.name)
		}
		return nil
	case e == nil:
		v.missingPart(p)
		return nil
	}
	want, err := parse(*p)
	if err != nil {
		return err
	}
	v.list(p, want.kind)
	v.here.tally(want.kind)
	have := v.describer.describe(e)
	if which := want.differences(&have, v.owned); len(which) > 0 {
		v.note(&v.differs, p.Name+" ("+strings.Join(which, ", ")+")")
		return nil
	}
	if want.kind == file && want.hardlink == "" {
		v.content(*p, e)
	}
	return nil
}

func (v *verification) missingPart(p *service.Part) {
	v.list(p, p.Attrs["type"])
	v.note(&v.missing, p.Name)
}

// list counts what the copy holds. Only a part with content has a size.
func (v *verification) list(p *service.Part, kind string) {
	v.stored.tally(kind)
	if p.Open != nil {
		v.stored.bytes.Add(p.Size)
	}
}

func (v *verification) note(s *sample, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.add(name)
}

// content compares the bytes beside the walk.
func (v *verification) content(p service.Part, e *entry) {
	it := &item{name: e.name, anchor: e.anchor, rel: e.rel, follow: e.follow, snap: &totals{gaps: v.walk.gaps}}
	v.group.Go(func() error {
		want, err := v.promised(p)
		if err != nil {
			return err
		}
		have, size, err := v.digest(it.open)
		switch {
		case errors.Is(err, service.ErrChanged), errors.Is(err, service.ErrNotFound):
			v.note(&v.differs, p.Name+" (unreadable)")
		case err != nil:
			return err
		case have != want:
			v.note(&v.differs, p.Name+" (content)")
		}
		v.report.Add(v.here.bytes.Add(size), v.total)
		return nil
	})
}

// promised is the digest of the stored content.
func (v *verification) promised(p service.Part) (string, error) {
	if p.SHA256 != "" {
		return p.SHA256, nil
	}
	if p.Open == nil {
		return "", fmt.Errorf("part %q has no content: %w", p.Name, service.ErrDamaged)
	}
	sum, _, err := v.digest(p.Open)
	return sum, err
}

// digest reads a content to its end.
func (v *verification) digest(open func(context.Context) (io.ReadCloser, error)) (string, int64, error) {
	content, err := open(v.ctx)
	if err != nil {
		return "", 0, err
	}
	buf := v.buffers.Get().(*buffer)
	defer v.buffers.Put(buf)
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{content}, buf[:])
	return hex.EncodeToString(sum.Sum(nil)), n, errors.Join(err, content.Close())
}

// buffer is of a size that files are read fast with.
type buffer [256 << 10]byte

func newBuffer() any { return new(buffer) }

// verdict turns what was noted into findings. What a copy could not hold cannot be
// expected here: then more things than it lists are a warning.
func (v *verification) verdict(m service.Manifest) (found service.Verdict) {
	if v.missing.n > 0 {
		found.Crit("missing", "", v.missing.args())
	}
	if v.differs.n > 0 {
		found.Crit("differs", "", v.differs.args())
	}
	switch {
	case v.extra.n > 0 && lacking(m):
		found.Warn("extra", "", v.extra.args())
	case v.extra.n > 0:
		found.Crit("extra", "", v.extra.args())
	}
	listed := v.stored.counts()
	for _, name := range []string{"files", "directories", "links", "bytes"} {
		if listed[name] != m.Counts[name] {
			found.Crit("copy-incomplete", name, service.Args{"listed": listed[name], "promised": m.Counts[name], "what": name})
		}
	}
	for name, n := range v.here.counts() {
		found.Set(name, n)
	}
	found.Set("owners_compared", v.owned)
	return found
}

// lacking reports whether the copy says that it could not hold everything.
func lacking(m service.Manifest) bool {
	for _, f := range m.Findings {
		if slug := strings.TrimPrefix(f.ID, "files."); slug == "unreadable" || slug == "vanished" {
			return true
		}
	}
	return false
}
