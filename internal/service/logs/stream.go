package logs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"upkeep/internal/service"
)

const (
	// hot is how long after its last line a rotated file that is still open for writing
	// is waited for: what follows in the new file is read the next time.
	hot = 10 * time.Second
	// unseen is for how long a rotated file is looked at again when upkeep may not see
	// whether somebody writes into it.
	unseen = time.Hour
	// mostLeft bounds how many generations a cursor keeps in mind.
	mostLeft = 16
)

var (
	errEnough = errors.New("the receiver has enough")
	errHeld   = errors.New("somebody still writes into a rotated file")
)

// Logs reads every stream from its cursor: the rest of the file that was read last,
// whatever its name is now, then the generations after it, then the present file.
func (in *Instance) Logs(ctx context.Context, from service.Cursors) iter.Seq2[service.LogBlock, error] {
	return func(yield func(service.LogBlock, error) bool) {
		f, err := in.find(ctx)
		if err != nil {
			yield(service.LogBlock{}, fmt.Errorf("look for log files: %w", err))
			return
		}
		open := sync.OnceValues(func() (*holders, error) { return in.holders(ctx, nil) })
		var buf []byte
		for _, l := range in.streams(f, from) {
			r := &reader{in: in, found: f, log: l, stream: shown(l.path()), open: open, yield: yield, buf: &buf}
			if err := r.from(ctx, from[r.stream]); errors.Is(err, errEnough) {
				return
			} else if err != nil && !yield(service.LogBlock{Stream: r.stream}, fmt.Errorf("read %s: %w", r.stream, err)) {
				return
			}
			if ctx.Err() != nil {
				return
			}
		}
		for _, dir := range f.unreadable {
			if !yield(service.LogBlock{Stream: dir}, fmt.Errorf("look into %s: %w", dir, service.ErrDenied)) {
				return
			}
		}
	}
}

// streams are the logs that are there and those that were read before and have gone.
// What stands in a directory that cannot be read has not gone.
func (in *Instance) streams(f *found, from service.Cursors) []*log {
	all := slices.Clone(f.logs)
	there := map[string]bool{}
	for _, l := range f.logs {
		there[shown(l.path())] = true
	}
	for _, stream := range slices.Sorted(maps.Keys(from)) {
		dir, name := filepath.Split(unshown(stream))
		dir = filepath.Clean(dir)
		if !there[stream] && !slices.Contains(f.unreadable, shown(dir)) && in.declared(filepath.Join(dir, name)) {
			all = append(all, &log{dir: dir, name: name})
		}
	}
	return all
}

// reader reads one stream.
type reader struct {
	in     *Instance
	found  *found
	log    *log
	stream string
	open   func() (*holders, error)
	yield  func(service.LogBlock, error) bool
	buf    *[]byte // of one file after the other
	d      *directory
	cur    cursor
	gap    string // why lines may be missing before the next block
	moved  bool   // cur changed since the last block
}

func (r *reader) from(ctx context.Context, text string) error {
	before, err := parseCursor(text)
	if err != nil || before.upToDate(r.log.current) {
		return err
	}
	if before != nil {
		r.cur = *before
	}
	if err := r.all(ctx, before); err != nil && !errors.Is(err, errHeld) {
		return err
	}
	return r.pass()
}

// upToDate reports whether a look at the file is enough to know that it is as it was
// when it was read to its end.
func (c *cursor) upToDate(now *file) bool {
	return c != nil && now != nil && len(c.Left) == 0 && c.named(*now) && c.Off == now.Size && c.Size == now.Size && c.Last == now.Last
}

// all opens the present file first: if it is rotated after this, the listing that
// follows shows it under its new name.
func (r *reader) all(ctx context.Context, before *cursor) (err error) {
	r.d, err = openDir(r.log.dir)
	if errors.Is(err, service.ErrNotFound) {
		r.lose(before)
		return nil
	}
	if err != nil {
		return err
	}
	defer r.d.Close()
	f, now, err := r.d.open(r.log.name)
	if err != nil && !errors.Is(err, service.ErrNotFound) {
		return err
	}
	if f != nil {
		defer f.Close()
	}
	return r.follow(ctx, before, f, now)
}

// follow is called with the present file, or nil.
func (r *reader) follow(ctx context.Context, before *cursor, f *os.File, now file) error {
	if err := r.late(ctx, now); err != nil {
		return err
	}
	if before != nil && f != nil {
		goesOn, err := before.goesOn(f, now)
		if err != nil {
			return err
		}
		if goesOn {
			return r.read(ctx, &source{f: f, now: now}, before.Off, &r.cur.position)
		}
	}
	old, err := r.generations(now)
	if err != nil {
		return err
	}
	if old, err = r.rest(ctx, before, old, now); err != nil {
		return err
	}
	for _, g := range old {
		if err := r.generation(ctx, g, 0); err != nil {
			return err
		}
	}
	if f == nil {
		return nil
	}
	return r.read(ctx, &source{f: f, now: now}, 0, &r.cur.position)
}

// goesOn reports whether the file of the declared name is the one that was read and
// only grew since. Without its inode, much of its content has to say so: a file that
// was copied into its own place.
func (p position) goesOn(f *os.File, now file) (bool, error) {
	if now.Size < p.Off || p.Ino == 0 || !p.named(now) && p.Head < enough {
		return false, nil
	}
	return p.fits(f, false)
}

// generations lists what there is of the stream beside its present file.
func (r *reader) generations(now file) ([]generation, error) {
	all, err := r.named()
	return slices.DeleteFunc(all, func(g generation) bool { return g.is(now) }), err
}

// named lists the generations. Names that cannot have changed are not listed again for
// each of many streams; the files behind them are looked at.
func (r *reader) named() ([]generation, error) {
	if holds, err := r.found.holds(r.d); err != nil || holds {
		return r.again(), err
	}
	var now found
	logs, err := r.in.list(r.log.dir, &now)
	if err != nil {
		return nil, err
	}
	r.found.relisted(r.log.dir, logs, now.changed)
	return r.generationsFound(), nil
}

// generationsFound are those of the last listing.
func (r *reader) generationsFound() []generation {
	if l := r.found.newest(r.log); l != nil {
		return l.generations
	}
	return nil
}

// again looks at generations that were listed before; one that has gone meanwhile is
// found missing when it is opened.
func (r *reader) again() []generation {
	l := &log{}
	for _, g := range r.generationsFound() {
		if now, err := r.d.look(string(g.Name)); err == nil {
			g.file = now
		}
		l.generations = append(l.generations, g)
	}
	l.order()
	return l.generations
}

// rest reads the file that was read last to its end and returns the generations after
// it. Where it is nowhere, lines may be missing, and what was written since is new.
func (r *reader) rest(ctx context.Context, before *cursor, old []generation, now file) ([]generation, error) {
	if before == nil {
		return old, nil
	}
	since := slices.DeleteFunc(slices.Clone(old), func(g generation) bool { return g.Last <= before.Last })
	if before.Ino == 0 {
		return since, nil
	}
	at, err := r.locate(before.position, old)
	if err != nil {
		return nil, err
	}
	if at < 0 {
		r.lose(before)
	} else if err := r.generation(ctx, old[at], before.Off); err != nil {
		return nil, err
	} else {
		since = old[at+1:]
	}
	// A file that was cut in its place: what was written between a copy and the cut is
	// in neither.
	if now.Ino != 0 && before.named(now) {
		r.gap = "truncated"
	}
	return since, nil
}

// lose gives up the file that was read last.
func (r *reader) lose(before *cursor) {
	if before == nil || before.Ino == 0 {
		return
	}
	r.cur.position, r.moved = position{Last: before.Last}, true
	if before.Size > 0 { // an empty file had nothing by which to know it, and nothing to lose
		r.gap = "lost"
	}
}

// locate finds a file among the generations: by its inode, else by its content.
func (r *reader) locate(p position, old []generation) (int, error) {
	named := func(g generation) bool { return p.named(g.file) }
	alike := func(g generation) bool { return !named(g) && p.Head > 0 }
	for _, likely := range []func(generation) bool{named, alike} {
		for i, g := range old {
			if !likely(g) {
				continue
			}
			if fits, err := r.fits(p, g); err != nil || fits {
				return i, err
			}
		}
	}
	return -1, nil
}

func (r *reader) fits(p position, g generation) (bool, error) {
	switch {
	case p.Off == 0 && p.named(g.file):
		return true, nil
	case !g.zipped && g.Size < p.Off:
		return false, nil
	}
	f, _, err := r.d.open(string(g.Name))
	if errors.Is(err, service.ErrNotFound) {
		return false, nil // removed since it was listed
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	return p.fits(f, g.zipped)
}

// generation reads a rotated file from off to its end. One that somebody still writes
// into holds up what comes after it for a moment; one that is only held open is left
// behind and looked at again.
func (r *reader) generation(ctx context.Context, g generation, off int64) error {
	open := !g.zipped && r.mayGrow(g.file)
	last, err := r.readNamed(ctx, g, off, !open, &r.cur.position)
	if err != nil || !open {
		return err
	}
	if r.in.env.Now().Sub(g.written()) < hot {
		return errHeld
	}
	r.cur.Left = append(r.cur.Left, last)
	r.cur.Left = r.cur.Left[max(0, len(r.cur.Left)-mostLeft):]
	r.moved = true
	return nil
}

// mayGrow reports whether a process has the file open for writing, or may have.
func (r *reader) mayGrow(f file) bool {
	if written, known := r.in.leased(f); known {
		return written
	}
	h, err := r.open()
	if err == nil && len(h.writing(f)) > 0 {
		return true
	}
	return (err != nil || len(h.blind) > 0) && r.in.env.Now().Sub(f.written()) < unseen
}

// readNamed reads a generation by its name and returns how far.
func (r *reader) readNamed(ctx context.Context, g generation, off int64, final bool, at *position) (position, error) {
	f, now, err := r.d.open(string(g.Name))
	if err != nil {
		return position{}, err
	}
	defer f.Close()
	if !now.is(g.file) {
		return position{}, fmt.Errorf("%s is another file now: %w", shown(now.path()), service.ErrChanged)
	}
	s := &source{f: f, now: now, zipped: g.zipped, final: final}
	err = r.read(ctx, s, off, at)
	return s.memory.position(now, s.off), err
}

// late reads what was written into generations after they were left behind.
func (r *reader) late(ctx context.Context, now file) error {
	if len(r.cur.Left) == 0 {
		return nil
	}
	old, err := r.generations(now)
	if err != nil {
		return err
	}
	for i := len(r.cur.Left) - 1; i >= 0; i-- {
		done, err := r.lateIn(ctx, old, &r.cur.Left[i])
		if err != nil {
			return err
		}
		if done {
			r.cur.Left = slices.Delete(r.cur.Left, i, i+1)
			r.moved = true
		}
	}
	return nil
}

func (r *reader) lateIn(ctx context.Context, old []generation, p *position) (done bool, err error) {
	i, err := r.locate(*p, old)
	if err != nil {
		return false, err
	}
	if i < 0 {
		r.gap = "lost"
		return true, nil
	}
	open := !old[i].zipped && r.mayGrow(old[i].file)
	_, err = r.readNamed(ctx, old[i], p.Off, !open, p)
	return !open, err
}

// read gives out what follows off, and keeps at in step.
func (r *reader) read(ctx context.Context, s *source, off int64, at *position) error {
	s.buf = *r.buf
	defer func() { *r.buf = s.buf }()
	if err := s.start(off); err != nil {
		return err
	}
	for {
		data, err := s.next(ctx)
		if err != nil {
			return err
		}
		if data == nil {
			break
		}
		*at = s.memory.position(s.now, s.off)
		if err := r.give(data); err != nil {
			return err
		}
	}
	if !at.named(s.now) {
		*at, r.moved = s.memory.position(s.now, s.off), true
	}
	return nil
}

// pass tells where the stream stands when that changed without a line.
func (r *reader) pass() error {
	if !r.moved && r.gap == "" {
		return nil
	}
	return r.give(nil)
}

func (r *reader) give(data []byte) error {
	block := service.LogBlock{Stream: r.stream, Data: data, Next: r.cur.String(), Break: r.gap}
	r.gap, r.moved = "", false
	if !r.yield(block, nil) {
		return errEnough
	}
	return nil
}
