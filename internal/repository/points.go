package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kopia/kopia/repo"

	"upkeep/internal/service"
)

// latest names the newest complete point of reason backup.
const latest = "latest"

// Points lists all points, newest first, incomplete ones among them. A record
// that cannot be read makes it an error.
func (r *Repository) Points(ctx context.Context) ([]Point, error) {
	all, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	var points []Point
	for _, p := range all {
		point, err := p.point()
		if err != nil {
			return nil, err
		}
		points = append(points, point)
	}
	slices.SortFunc(points, newestFirst)
	return points, nil
}

func newestFirst(a, b Point) int {
	if c := b.Taken.Compare(a.Taken); c != 0 {
		return c
	}
	return strings.Compare(b.ID, a.ID)
}

// Point returns one point with its declaration. "latest" means the newest
// complete one of reason backup; a beginning of an ID will do where it is the
// only one. The error wraps service.ErrNotFound.
func (r *Repository) Point(ctx context.Context, id string) (Point, error) {
	found, err := r.find(ctx, id)
	if err != nil {
		return Point{}, err
	}
	point, err := found.point()
	if err != nil || found.sealed == nil {
		return point, err
	}
	point.Declaration, err = r.declaration(ctx, found.sealed.Files)
	return point, err
}

// declaration reads what it can: damage here must not keep anybody from the
// copies.
func (r *Repository) declaration(ctx context.Context, files map[string]string) (Declaration, error) {
	d := Declaration{Files: map[string][]byte{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content, err := r.readFile(ctx, files[name])
		switch {
		case err == nil:
			d.Files[name] = content
		case errors.Is(err, service.ErrDamaged):
			d.Damaged = append(d.Damaged, name)
		default:
			return d, fmt.Errorf("read %s of the declaration: %w", name, err)
		}
	}
	return d, nil
}

func (r *Repository) readFile(ctx context.Context, id string) ([]byte, error) {
	o, err := openObject(ctx, r.reader, id)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	content, err := io.ReadAll(o)
	return content, readError(err)
}

// find resolves what a person typed.
func (r *Repository) find(ctx context.Context, id string) (*records, error) {
	all, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	if id == latest {
		return newest(all, func(p *records) bool { return true })
	}
	if exact := all[id]; exact != nil {
		return exact, nil
	}
	var matches []string
	for known := range all {
		if id != "" && strings.HasPrefix(known, id) {
			matches = append(matches, known)
		}
	}
	slices.Sort(matches)
	switch len(matches) {
	case 0:
		return nil, fmt.Errorf("restore point %q: %w", id, service.ErrNotFound)
	case 1:
		return all[matches[0]], nil
	}
	return nil, fmt.Errorf("restore point %q could be %s: %w", id, strings.Join(matches, " or "), service.ErrNotFound)
}

// newest returns the newest complete point of reason backup that fits.
func newest(all map[string]*records, fits func(*records) bool) (*records, error) {
	candidates := slices.Collect(maps.Values(all))
	candidates = slices.DeleteFunc(candidates, func(p *records) bool {
		return p.sealed == nil || p.begun == nil || p.begun.Reason == ReasonBeforeRestore || !fits(p)
	})
	if len(candidates) == 0 {
		return nil, fmt.Errorf("no complete restore point: %w", service.ErrNotFound)
	}
	return slices.MaxFunc(candidates, func(a, b *records) int {
		if c := a.begun.Taken.Compare(b.begun.Taken); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	}), nil
}

// older finds the contents of the copy that a new one of the same target is
// compared with: the one stored last, even in a point that was never sealed. nil
// where there is none that can be read.
func (r *Repository) older(ctx context.Context, h Header, target, kind string) (*contents, error) {
	all, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	var best *copyRecord
	var taken time.Time
	for _, p := range all {
		c, found := p.copyOf(target)
		if !found || c.Kind != kind || p.begun == nil || p.begun.System != h.System {
			continue
		}
		if best == nil || p.begun.Taken.After(taken) {
			best, taken = &c, p.begun.Taken
		}
	}
	if best == nil {
		return nil, nil
	}
	var found contents
	if err := readJSON(ctx, r.reader, best.Contents, &found); err != nil {
		if couldNotLook(err) {
			return nil, err
		}
		return nil, nil // a damaged copy is nothing to build on; everything is read
	}
	return &found, nil
}

// MarkVerified records that every byte of a point was read and found right.
func (r *Repository) MarkVerified(ctx context.Context, id string, at time.Time) error {
	return r.mark(ctx, id, mark{Is: isVerified, At: at})
}

// MarkProven records a drill that restored the point and found it equal.
func (r *Repository) MarkProven(ctx context.Context, id string, at time.Time, proof Proof) error {
	return r.mark(ctx, id, mark{Is: isProven, At: at, Proof: &proof})
}

// MarkDamaged records that Verify found damage. It takes the verified mark back,
// and the point counts for no rule of keep: any more.
func (r *Repository) MarkDamaged(ctx context.Context, id string, at time.Time) error {
	return r.mark(ctx, id, mark{Is: isDamaged, At: at})
}

// mark replaces an earlier mark of the same sort.
func (r *Repository) mark(ctx context.Context, id string, m mark) error {
	p, err := r.find(ctx, id)
	if err != nil {
		return err
	}
	if p.sealed == nil {
		return fmt.Errorf("point %s is incomplete: %w", p.id, service.ErrRefused)
	}
	labels := label(roleMark, p.id)
	labels["is"] = m.Is
	err = r.change(ctx, "mark point", func(ctx context.Context, k repo.DirectRepositoryWriter) error {
		if err := deleteAll(ctx, k, labels); err != nil {
			return err
		}
		_, err := k.PutManifest(ctx, labels, m)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark point %s as %s: %w", p.id, m.Is, err)
	}
	return nil
}
