package files

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// Snapshot lists the tree and reads files as they are asked for. Single files are
// consistent: one that changes under its reader is read again. The tree as a whole
// is not frozen; Taken is when the listing began.
func (in *Instance) Snapshot(ctx context.Context, _ service.Previous, _ service.Report) (service.Snapshot, error) {
	identity, err := in.Identity(ctx)
	if err != nil {
		return nil, err
	}
	w := in.newWalk()
	return &snapshot{in: in, walk: w, identity: identity, taken: in.env.Now(), totals: &totals{gaps: w.gaps}}, nil
}

type snapshot struct {
	in       *Instance
	walk     *walk
	identity string
	taken    time.Time
	totals   *totals
	clock    int64 // the file systems' clock when the listing began, nanoseconds
}

// Parts walks once.
func (s *snapshot) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		var err error
		if s.clock, err = fileClock(); err != nil {
			yield(service.Part{}, err)
			return
		}
		d, stopped := newDescriber(s.walk.gaps), false
		err = s.walk.each(ctx, func(e *entry) bool {
			if kindOf(e.stat.Mode) == "" {
				s.walk.gaps.add(sockets, e.name)
				return true
			}
			stopped = !yield(s.part(d, e), nil)
			return !stopped
		})
		if err == nil && !stopped {
			err = s.nothing()
		}
		if err != nil {
			yield(service.Part{}, fmt.Errorf("list files: %w", err))
		}
	}
}

// nothing refuses a copy of nothing at all: a disk that is not mounted, a wrong
// directory. It must not pass for a good copy.
func (s *snapshot) nothing() error {
	gone := s.walk.gaps.count(missing)
	if !s.in.cfg.Required || gone < int64(len(s.in.rules.list)) {
		return nil
	}
	return &service.Fault{ID: "files.nothing-there", Args: s.walk.gaps.found[missing].args(),
		Err: fmt.Errorf("none of the %d declared paths exists: %w", gone, service.ErrNotFound)}
}

func (s *snapshot) part(d *describer, e *entry) service.Part {
	m := d.describe(e)
	p := service.Part{Name: e.name, Attrs: m.attrs()}
	s.totals.tally(m.kind)
	if m.kind == file && m.hardlink == "" {
		s.totals.bytes.Add(e.stat.Size)
		s.totals.disk.Add(min(e.stat.Size, e.stat.Blocks*512))
		it := &item{name: e.name, anchor: e.anchor, rel: e.rel, follow: e.follow, size: e.stat.Size, snap: s.totals}
		p.Size, p.Identity, p.Open = e.stat.Size, s.contentIdentity(&e.stat), it.open
	}
	return p
}

// tick is longer than the kernel takes to advance the clock of file times.
const tick = 20 * time.Millisecond

// contentIdentity changes with every write. A file changed less than a tick ago may
// be written again without a new time: it has no identity and is read each time.
func (s *snapshot) contentIdentity(st *unix.Stat_t) string {
	if st.Ctim.Nano() > s.clock-int64(tick) {
		return ""
	}
	b := make([]byte, 0, 80)
	for _, n := range []int64{st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec, int64(st.Ino), int64(st.Mode)} {
		b = append(strconv.AppendInt(b, n, 36), '.')
	}
	return string(b)
}

// fileClock is the clock that stamps files.
func fileClock() (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &t); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return t.Nano(), nil
}

// diskBytes is the attribute of a manifest that says how much disk the files take.
const diskBytes = "disk_bytes"

// Manifest counts what was listed, less what could not be read.
func (s *snapshot) Manifest(context.Context) (service.Manifest, error) {
	var v service.Verdict
	s.walk.gaps.judge(&v, s.in.cfg.Required)
	m := service.Manifest{Taken: s.taken, Until: s.in.env.Now(), Identity: s.identity, Counts: s.totals.counts(), Findings: v.Findings,
		Attrs: map[string]string{diskBytes: itoa(s.totals.disk.Load())}}
	if n := s.walk.gaps.count(sockets); n > 0 {
		m.Attrs["sockets_left_out"] = itoa(n)
	}
	return m, nil
}

func (t *totals) tally(kind string) {
	switch kind {
	case file:
		t.files.Add(1)
	case directory:
		t.directories.Add(1)
	case link:
		t.links.Add(1)
	default:
		t.others.Add(1)
	}
}

func (t *totals) counts() map[string]int64 {
	counts := map[string]int64{"files": t.files.Load(), "directories": t.directories.Load(),
		"links": t.links.Load(), "bytes": t.bytes.Load()}
	if n := t.others.Load(); n > 0 {
		counts["pipes_and_devices"] = n
	}
	return counts
}

// Close ends the readers' way into the tree.
func (s *snapshot) Close() error { return s.walk.close() }

// Size adds up the lengths of all files.
func (in *Instance) Size(ctx context.Context) (int64, error) {
	c, err := in.census(ctx)
	return c.bytes, err
}

// Identity names each declared path with the file system it lies on, which
// changes when something else is mounted there.
func (in *Instance) Identity(context.Context) (string, error) {
	var all []byte
	if in.standIn() {
		all = append(all, "stand-in "+in.top+": "...)
	}
	for i, r := range in.rules.list {
		if i > 0 {
			all = append(all, ", "...)
		}
		place, err := in.place(r)
		if err != nil {
			return "", err
		}
		all = append(all, place...)
	}
	return string(all), nil
}

func (in *Instance) place(r rule) (string, error) {
	path := in.top
	for _, name := range r.names[:r.literal] {
		path = join(path, name)
	}
	shown := "/"
	for i, name := range r.names {
		if i > 0 {
			shown += "/"
		}
		shown += name
	}
	var fs unix.Statfs_t
	err := unix.Statfs(path, &fs)
	switch {
	case errors.Is(err, unix.ENOENT):
		return shown + " (absent)", nil
	case err != nil:
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	return fmt.Sprintf("%s (%x/%x%08x)", shown, fs.Type, uint32(fs.Fsid.Val[0]), uint32(fs.Fsid.Val[1])), nil
}

func join(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}
