package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// Snapshot takes the files of the store aside as one set, while its writers go on: under
// their locks, and again until nothing changed meanwhile. Where they change all the time
// the set is of the time from Taken to Until. No more than mostStaged is copied aside; of larger
// stores the largest files are read where they lie.
func (in *Instance) Snapshot(ctx context.Context, _ service.Previous, _ service.Report) (service.Snapshot, error) {
	identity, err := in.Identity(ctx)
	if err != nil {
		return nil, err
	}
	s, remove, err := in.newStage(ctx)
	if err != nil {
		return nil, err
	}
	err = s.take(ctx)
	if err == nil && len(s.files) == 0 {
		err = &service.Fault{ID: "dataset.nothing-there", Args: service.Args{"dir": in.dir},
			Err: fmt.Errorf("no declared file is in %s: %w", in.dir, service.ErrNotFound)}
	}
	if err != nil {
		return nil, errors.Join(err, s.close(), remove())
	}
	return &snapshot{stage: s, identity: identity, remove: remove}, nil
}

type snapshot struct {
	stage    *stage
	identity string
	remove   func() error
}

// Parts yields the files by name.
func (s *snapshot) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, f := range s.stage.sorted() {
			if err := ctx.Err(); err != nil {
				yield(service.Part{}, err)
				return
			}
			if !yield(service.Part{Name: f.name, Attrs: f.attrs(), Size: f.stat.Size, Identity: contentIdentity(&f.stat, f.clock), Open: s.stage.opener(f)}, nil) {
				return
			}
		}
	}
}

// Attributes of a part.
const (
	attrMode, attrTime               = "mode", "mtime"
	attrUID, attrGID                 = "uid", "gid"
	attrUser, attrGroup              = "user", "group"
	attrTables, betweenOfThem        = "tables", "\n"
	permissions               uint32 = 0o7777
)

func (f *staged) attrs() map[string]string {
	a := map[string]string{
		attrMode: strconv.FormatUint(uint64(f.stat.Mode&permissions), 8), attrTime: strconv.FormatInt(f.stat.Mtim.Nano(), 10),
		attrUID: strconv.FormatUint(uint64(f.stat.Uid), 10), attrGID: strconv.FormatUint(uint64(f.stat.Gid), 10),
	}
	if u, err := user.LookupId(a[attrUID]); err == nil {
		a[attrUser] = u.Username
	}
	if g, err := user.LookupGroupId(a[attrGID]); err == nil {
		a[attrGroup] = g.Name
	}
	if len(f.tables) > 0 {
		a[attrTables] = strings.Join(f.tables, betweenOfThem)
	}
	return a
}

// memberOf is the file that a part is of.
func memberOf(p service.Part) member {
	m := member{name: p.Name}
	if p.Attrs[attrTables] != "" {
		m.tables = strings.Split(p.Attrs[attrTables], betweenOfThem)
	}
	return m
}

// opener reads the copy aside, or a file that is held open.
func (s *stage) opener(f *staged) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f.live != nil {
			return io.NopCloser(&inPlace{ctx: ctx, stage: s, file: f, from: io.NewSectionReader(f.live, 0, f.stat.Size)}), nil
		}
		return os.Open(s.path(f.name))
	}
}

// inPlace reads a file where it lies and ends with ErrChanged when somebody wrote to it
// meanwhile. The second time it is kept as it was read, and named.
type inPlace struct {
	ctx   context.Context // of this one reading
	stage *stage
	file  *staged
	from  io.Reader
}

func (r *inPlace) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	if err != io.EOF {
		return n, err
	}
	return n, r.finish()
}

func (r *inPlace) finish() error {
	switch {
	case r.file.untouched():
		return io.EOF
	case r.file.again:
		r.file.moved = true
		return io.EOF
	}
	return r.stage.reopen(r.file)
}

// untouched reports whether nobody wrote to a file that is read in place. One that lost
// its name to another got a new change time by that.
func (f *staged) untouched() bool {
	var now unix.Stat_t
	if unix.Fstat(int(f.live.Fd()), &now) != nil {
		return false
	}
	if now.Nlink != f.stat.Nlink {
		now.Ctim = f.stat.Ctim
	}
	return same(&f.stat, &now)
}

// reopen takes the file that has the name now, and ends with ErrChanged.
func (s *stage) reopen(f *staged) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.drop(f.name); err != nil {
		return err
	}
	if err := s.read(f.member); err != nil {
		return err
	}
	fresh := s.files[f.name]
	if fresh == nil {
		s.unread[f.name] = "it went away"
		return service.ErrNotFound
	}
	*f = *fresh
	f.again, s.files[f.name] = true, f
	return service.ErrChanged
}

// Manifest reads the copies aside as tables.
func (s *snapshot) Manifest(ctx context.Context) (service.Manifest, error) {
	promised := promiseOf(s.stage.cfg)
	if cfg, _, err := s.stage.in.declare(ctx, s.stage.dir); err == nil { // the form of what was copied, if it changed
		promised = promiseOf(cfg)
	}
	text, err := promised.text()
	if err != nil {
		return service.Manifest{}, err
	}
	m := service.Manifest{Taken: s.stage.taken, Until: s.stage.until, Identity: s.identity, Attrs: map[string]string{attrPromise: text}}
	content, err := s.stage.in.at(s.stage.dir, promised).measure(ctx, how{budget: -1}, &service.Verdict{})
	if err != nil {
		return m, fmt.Errorf("read the copy: %w", err)
	}
	var v service.Verdict
	s.stage.judge(&v)
	s.stage.forget(content)
	m.Entries, m.Counts, m.Findings = content.entries(), content.counts(), v.Findings
	m.Counts[countFiles], m.Counts[countBytes] = int64(len(s.stage.files)), s.stage.bytes()
	return m, nil
}

// forget leaves out tables whose files moved while they were read in place: their digest
// would be of something else than the copy.
func (s *stage) forget(content content) {
	for _, f := range s.files {
		if f.live == nil || !f.moved && f.untouched() {
			continue
		}
		for _, table := range f.tables {
			delete(content, table)
		}
	}
}

func (s *stage) bytes() (n int64) {
	for _, f := range s.files {
		n += f.stat.Size
	}
	return n
}

// Close removes the copies aside.
func (s *snapshot) Close() error { return errors.Join(s.stage.close(), s.remove()) }

// Size adds up the lengths of all files.
func (in *Instance) Size(ctx context.Context) (n int64, err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return 0, err
	}
	list, err := in.members(cfg)
	for _, m := range list {
		if info, err := os.Stat(in.path(m.name)); err == nil {
			n += info.Size()
		}
	}
	return n, err
}

// timeOf is when a part's file was written.
func timeOf(p service.Part) time.Time {
	n, _ := strconv.ParseInt(p.Attrs[attrTime], 10, 64)
	return time.Unix(0, n)
}
