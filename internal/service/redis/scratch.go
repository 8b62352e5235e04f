package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"upkeep/internal/sandbox"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

const scratchPurpose = "drill"

// sibling is a scratch server with the means of an Instance. It judges content
// only: nothing about its health says anything about the target.
type sibling struct {
	in  *Instance
	srv *server
}

var (
	_ service.Restorer   = (*sibling)(nil)
	_ service.Verifier   = (*sibling)(nil)
	_ service.Queryer    = (*sibling)(nil)
	_ service.Identifier = (*sibling)(nil)
)

// Scratch starts an empty server that can read the copy.
func (in *Instance) Scratch(ctx context.Context, c service.Copy, r service.Report) (service.Instance, error) {
	m := c.Manifest()
	srv, err := in.newServer(ctx, m.Attrs[attrFormat], databasesOf(m))
	if err != nil {
		return nil, err
	}
	sib := &sibling{srv: srv, in: in.on(srv)}
	if err := sib.start(ctx); err != nil {
		return nil, errors.Join(err, sib.Close())
	}
	identity, err := sib.Identity(ctx)
	if err == nil && identity == m.Identity {
		err = fmt.Errorf("the scratch server is the target itself: %w", service.ErrNoScratch)
	}
	if err != nil {
		return nil, errors.Join(err, sib.Close())
	}
	return sib, nil
}

// on returns an instance that talks to a scratch server and nobody else.
func (in *Instance) on(srv *server) *Instance {
	env, cfg := in.env, in.cfg
	cfg.Password = secret.Ref{Scheme: secret.Literal, Place: srv.password}
	env.Secret = func(context.Context, secret.Ref) (string, error) { return srv.password, nil }
	return &Instance{env: env, cfg: cfg, at: endpoint{network: "unix", address: srv.socket()}, replica: true}
}

// serverPrograms are those that can serve a copy, of either kinship.
var serverPrograms = []string{"redis-server", "valkey-server"}

// scratchProgram finds a server in one place that reads the format. One whose version is not
// known to us is tried.
func scratchProgram(ctx context.Context, find sandbox.Find, format string) (string, error) {
	var reasons []error
	for _, name := range serverPrograms {
		path, about, err := find(ctx, name, 0)
		if err != nil {
			reasons = append(reasons, err)
			continue
		}
		kind := strings.TrimSuffix(name, "-server")
		if newest := newestFormat(kind, parseVersion(about)); !newest.reads(format) {
			reasons = append(reasons, fmt.Errorf("%s %s reads formats up to %s, the copy is %s", path, about, newest, format))
			continue
		}
		return path, nil
	}
	return "", &service.Fault{ID: "redis.no-scratch-server", Args: service.Args{"format": format},
		Err: fmt.Errorf("%w: %w", service.ErrNoScratch, errors.Join(reasons...))}
}

// newestFormat is what a server of that version writes, which is also the newest
// that it reads; a later version than these lines know counts as the last one.
func newestFormat(kind string, v version) header {
	if kind == "valkey" {
		if v.before(9, 0) {
			return header{Version: 11}
		}
		return header{Valkey: true, Version: 80}
	}
	switch {
	case v.before(7, 0):
		return header{Version: 9}
	case v.before(7, 2):
		return header{Version: 10}
	case v.before(7, 4):
		return header{Version: 11}
	case v.before(8, 1):
		return header{Version: 12}
	}
	return header{Version: 99}
}

// reads reports whether a server whose newest format is h reads that one. Valkey
// reads what Redis wrote before they parted.
func (h header) reads(format string) bool {
	digits, valkey := strings.CutPrefix(format, "VALKEY")
	version, err := strconv.Atoi(strings.TrimPrefix(digits, "REDIS"))
	switch {
	case err != nil:
		return false
	case h.Valkey && !valkey:
		return version <= 11
	case valkey:
		return h.Valkey && version <= h.Version
	}
	return version <= h.Version
}

// databasesOf is how many databases a server needs for the copy.
func databasesOf(m service.Manifest) int {
	most := 16
	for _, e := range m.Entries {
		if n, ok := dbNumber(e.Name); ok {
			most = max(most, n+1)
		}
	}
	return most
}

func dbNumber(entry string) (int, bool) {
	digits, isDB := strings.CutPrefix(entry, "db")
	n, err := strconv.Atoi(digits)
	return n, isDB && err == nil
}

func (s *sibling) start(ctx context.Context) error {
	s.srv.start(ctx)
	return s.srv.await(ctx, s.in)
}

// Restore starts the server anew on the copy's own file, so what is proven is
// that a server reads it. A selection is put in key by key, as it would be into the
// target.
func (s *sibling) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	if !sel.All() {
		return s.in.Restore(ctx, c, sel, r)
	}
	if err := s.srv.running.Stop(); err != nil {
		return err
	}
	if err := s.put(ctx, c, r); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("load the copy: %w", s.blamed(err))
	}
	// It is in memory now, and reading back writes a file as large.
	if err := os.Remove(s.srv.rdb()); err != nil {
		return fmt.Errorf("make room on the scratch disk: %w", err)
	}
	return nil
}

// blamed tells a copy that is damaged from a server that cannot read a whole one: a bit
// that has flipped can look like the data of a module.
func (s *sibling) blamed(err error) error {
	if !errors.Is(err, service.ErrNoScratch) {
		return err
	}
	file, lost := os.Open(s.srv.rdb())
	if lost != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	_, broken := walk(file, visitor{})
	var unknown *unreadable // content that is whole
	if broken == nil || errors.As(broken, &unknown) {
		return err
	}
	return &service.Fault{ID: "redis.copy-does-not-load", Args: service.Args{"detail": broken.Error()},
		Err: fmt.Errorf("%w: %w", broken, service.ErrDamaged)}
}

func (s *sibling) put(ctx context.Context, c service.Copy, r service.Report) (err error) {
	content, size, err := openCopy(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	file, err := os.OpenFile(s.srv.rdb(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make the scratch file: %w", err)
	}
	_, err = io.Copy(file, &reporter{ctx: ctx, r: content, total: size, report: r})
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("put the copy on the scratch disk: %w", err)
	}
	return s.srv.box.Hand(s.srv.rdb())
}

// openCopy opens the one part and tells its size, -1 while unknown.
func openCopy(ctx context.Context, c service.Copy) (io.ReadCloser, int64, error) {
	part, err := c.Part(ctx, partName)
	if err != nil {
		return nil, 0, fmt.Errorf("find %s in the copy: %w", partName, err)
	}
	content, err := part.Open(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("open %s of the copy: %w", partName, err)
	}
	return content, part.Size, nil
}

// reporter counts what is read and stops when its call is cancelled.
type reporter struct {
	ctx    context.Context // of the one call that reads
	r      io.Reader
	n      int64
	total  int64
	report service.Report
}

func (p *reporter) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	p.n += int64(n)
	p.report.Add(p.n, max(p.total, 0))
	return n, err
}

// Verify reads the content back from the server and compares it.
func (s *sibling) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	return s.in.verify(ctx, c, s.readBack, r)
}

// readBack lets the server write what it holds. Over the replication protocol a
// replica without its primary refuses.
func (s *sibling) readBack(ctx context.Context) (_ io.ReadCloser, err error) {
	c, err := s.in.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	c.patience = 0 // a large content takes minutes, and the server answers when it is done
	if _, err := c.do("SAVE"); err != nil {
		return nil, fmt.Errorf("let the scratch server write its content: %w", err)
	}
	return os.Open(s.srv.rdb())
}

// Query answers from the restored content.
func (s *sibling) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return s.in.Query(ctx, statement)
}

// Identity names the socket, which is nobody else's.
func (s *sibling) Identity(ctx context.Context) (string, error) { return s.in.Identity(ctx) }

// Close ends the server and removes its directory. It may be called again.
func (s *sibling) Close() error { return s.srv.box.Close() }

// Sweep ends the servers of killed runs and removes what they left.
func (in *Instance) Sweep(ctx context.Context) error {
	return sandbox.Sweep(ctx, in.env, scratchPurpose)
}
