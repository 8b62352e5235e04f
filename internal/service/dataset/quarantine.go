package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/tables/footer"
)

const (
	// quarantineIn holds increments that nobody can read, below the originals: each in a
	// directory of its own, under the path that it had.
	quarantineIn = keptIn + "/quarantine"
	// usualQuarantine is how long an increment must not have been written to when nothing is
	// declared: writers rewrite theirs in seconds.
	usualQuarantine = quantity.Duration(10 * time.Minute)
)

// quarantining is what a step of opQuarantine needs.
type quarantining struct {
	Table     string `json:"table"`
	Increment seen   `json:"increment"`
}

// legible is how much of a Parquet file can be read.
type legible struct {
	groups []footer.Group // nil where the footer is torn
	whole  bool
	err    error // what is wrong with it
}

// rows that can be saved, and those that are known to be lost.
func (l legible) rows() (saved, lost int64) {
	for _, g := range l.groups {
		if g.Damaged == nil {
			saved += g.Rows
		} else {
			lost += g.Rows
		}
	}
	return saved, lost
}

// kept are the row groups that can be read.
func (l legible) kept() (groups []int) {
	for i, g := range l.groups {
		if g.Damaged == nil {
			groups = append(groups, i)
		}
	}
	return groups
}

// legible reads every value of a file. An error says that this could not be tried.
func (in *Instance) legible(ctx context.Context, path string) (l legible, err error) {
	scratch, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return l, fmt.Errorf("make room for tables: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	s := &store{in: in, scratch: scratch}
	l.groups, l.whole, l.err = s.readableGroups(ctx, path)
	if i := slices.IndexFunc(l.groups, func(g footer.Group) bool { return g.Damaged != nil }); l.err == nil && i >= 0 {
		l.err = fmt.Errorf("row group %d: %w", i, l.groups[i].Damaged)
	}
	return l, ctx.Err()
}

// whole are those of them that can be read to the end, and whose pages are as they were
// written: a merge takes no others in. All are read as one first; that each is opened by itself
// is for when one is not.
func (in *Instance) whole(ctx context.Context, all []seen) (readable []seen, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	if ok, err := in.legibleAll(ctx, all); ok || err != nil {
		return all, err
	}
	for _, s := range all {
		l, err := in.legible(ctx, in.path(s.Path))
		if err != nil {
			return nil, err
		}
		if l.whole {
			readable = append(readable, s)
		}
	}
	return readable, nil
}

func (in *Instance) legibleAll(ctx context.Context, all []seen) (ok bool, err error) {
	paths := in.pathsOf(all)
	for _, path := range paths {
		if _, err := footer.Walk(ctx, path); err != nil {
			return false, ctx.Err()
		}
	}
	scratch, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return false, fmt.Errorf("make room for tables: %w", err)
	}
	s := &store{in: in, scratch: scratch}
	err = s.scan(ctx, paths...)
	return err == nil, errors.Join(remove(), ctx.Err())
}

// quarantine lists a step for every increment that nobody can read: not now nor a little
// later, that was not written to for long and that no process has open to write. One of
// which that cannot be told stays where it is, and check names it. One of another form is whole, and
// none of these.
func (in *Instance) quarantine(ctx context.Context, name string, t Table, doubtful []seen) (steps []service.Step, err error) {
	lost, err := in.lost(ctx, t, doubtful)
	for _, s := range lost {
		saved, gone := s.rows()
		steps = append(steps, step(opQuarantine, service.Reversible, s.Path, quarantining{name, s.seen},
			service.Message{ID: opQuarantine, Args: service.Args{"table": name, "path": s.Path, "detail": plain(s.err, in.path(s.Path)), "rows": saved, "lost": gone, "footer": s.groups != nil}}))
	}
	return steps, err
}

// illegible is an increment of which not everything can be read.
type illegible struct {
	seen
	legible
}

// lost are those of some increments that belong into quarantine.
func (in *Instance) lost(ctx context.Context, t Table, all []seen) (lost []illegible, err error) {
	limit := t.Increments.QuarantineAfter.Std()
	if limit == 0 {
		limit = usualQuarantine.Std()
	}
	for _, s := range all {
		if in.env.Now().Sub(time.Unix(0, s.Time)) >= limit {
			lost = append(lost, illegible{seen: s})
		}
	}
	for look := 0; look < looks && len(lost) > 0; look++ {
		if err := waited(ctx, time.Duration(min(look, 1))*lookAgain); err != nil {
			return nil, err
		}
		if lost, err = in.lookedAt(ctx, lost); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(lost, func(s illegible) bool { return in.written(ctx, s) }), nil
}

// lookedAt are those that still cannot be read; what changed meanwhile is somebody's work.
func (in *Instance) lookedAt(ctx context.Context, all []illegible) (left []illegible, err error) {
	for _, s := range all {
		if s.legible, err = in.legible(ctx, in.path(s.Path)); err != nil {
			return nil, err
		}
		if !s.whole && in.unchanged(s.seen) == nil {
			left = append(left, s)
		}
	}
	return left, nil
}

// waited waits, unless its context ends.
func waited(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// written reports whether somebody has a file open to write, or may have. The kernel grants
// a lease to read only while nobody has, in whatever container; where it grants none to
// this user, the processes are asked that can be seen.
func (in *Instance) written(ctx context.Context, s illegible) bool {
	path := in.path(s.Path)
	if used, known := leased(path); known {
		return used
	}
	of, err := nodeOf(path)
	if err != nil {
		return true
	}
	all, err := whoOpens(ctx, baseNames([]string{path}))
	return err != nil || all.blind || slices.ContainsFunc(all.found, func(o opener) bool { return o.writes && o.node == of })
}

// leased takes a lease to read on a file and gives it back at once.
func leased(path string) (used, known bool) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, false
	}
	defer func() { _ = file.Close() }() // it was only read
	switch _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK); {
	case errors.Is(err, unix.EAGAIN):
		return true, true
	case err != nil:
		return false, false
	}
	_, err = unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	return false, err == nil
}

// doQuarantine moves an increment, with its bytes as they are. One that its writer went on
// with, or that can be read by now, stays.
func (in *Instance) doQuarantine(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	q, err := argsOf[quarantining](s)
	if err != nil {
		return out, err
	}
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return out, err
	}
	kept := in.quarantined(q.Increment.state)
	if kept == "" {
		if kept, err = in.isolate(ctx, cfg.Tables[q.Table], q.Increment); err != nil {
			return out, in.full(err)
		}
	}
	moved := map[string]string{}
	if kept != "" {
		moved[q.Increment.Path] = kept
		out.Verdict.Warn("dataset.quarantined", "", service.Args{"n": 1, "names": []string{q.Increment.Path}, "more": 0, "in": quarantineIn, "since": in.env.Now().Format(time.RFC3339)})
	}
	out.Result, err = json.Marshal(moved)
	return out, err
}

func (in *Instance) isolate(ctx context.Context, t Table, s seen) (kept string, err error) {
	if in.unchanged(s) != nil {
		return "", nil
	}
	if lost, err := in.lost(ctx, t, []seen{s}); err != nil || len(lost) == 0 {
		return "", err
	}
	kept = filepath.Join(quarantineIn, in.env.Now().UTC().Format("20060102T150405.000000000"), s.Path)
	to := in.path(kept)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", fmt.Errorf("make room for %s: %w", s.Path, err)
	}
	if err := renamed(in.path(s.Path), to); err != nil {
		return "", fmt.Errorf("put %s into quarantine: %w", s.Path, err)
	}
	if is, err := stateOf(to); err != nil || is != s.state { // somebody saved at the last moment
		return "", errors.Join(err, renamed(to, in.path(s.Path)))
	}
	return kept, errors.Join(synced(filepath.Dir(to)), synced(filepath.Dir(in.path(s.Path))))
}

// inQuarantine lists what is there, below the store, by name.
func (in *Instance) inQuarantine() (all []string, err error) {
	err = filepath.WalkDir(in.path(quarantineIn), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && e.Type().IsRegular() {
			all = append(all, in.within(path))
		}
		return err
	})
	return all, err
}

// quarantined finds the file in that state.
func (in *Instance) quarantined(was state) string {
	all, err := in.inQuarantine()
	if err != nil {
		return ""
	}
	for _, kept := range all {
		if is, err := stateOf(in.path(kept)); err == nil && is == was {
			return kept
		}
	}
	return ""
}

// cameFrom is where a file in quarantine was, below the store.
func cameFrom(kept string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(kept, quarantineIn+"/"), "/")
	return path
}

// mostNamed bounds the names in one finding.
const mostNamed = 10

// judgeQuarantine names what is there until somebody has settled it.
func (in *Instance) judgeQuarantine(v *service.Verdict) error {
	all, err := in.inQuarantine()
	if err != nil || len(all) == 0 {
		return err
	}
	oldest := in.env.Now()
	var names []string
	for _, kept := range all {
		if info, err := os.Stat(filepath.Dir(in.path(kept))); err == nil && info.ModTime().Before(oldest) {
			oldest = info.ModTime()
		}
		names = append(names, cameFrom(kept))
	}
	first, more := firstOf(names)
	v.Warn("dataset.quarantined", "", service.Args{"n": len(all), "names": first, "more": more, "in": quarantineIn, "since": oldest.Format(time.RFC3339)})
	return nil
}
