package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"upkeep/internal/service"
)

// partName is the one part of a copy: an ordinary RDB file.
const partName = "dump.rdb"

// snapshot is a copy that is about to be read. The view is that of the moment at
// which the part is opened; when it is opened again, the manifest is that of the
// last one.
type snapshot struct {
	in    *Instance
	about info
	r     service.Report

	mu    sync.Mutex
	found *census
}

// Snapshot makes sure that the server answers and may be read. A previous copy is
// of no use: Redis can only give everything.
func (in *Instance) Snapshot(ctx context.Context, _ service.Previous, r service.Report) (service.Snapshot, error) {
	about, err := in.info(ctx)
	if err != nil {
		return nil, err
	}
	if about["loading"] == "1" {
		return nil, fmt.Errorf("%s loads its data: %w", in.at.address, service.ErrBusy)
	}
	return &snapshot{in: in, about: about, r: r}, nil
}

func (s *snapshot) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		yield(service.Part{Name: partName, Size: -1, Open: s.open}, nil)
	}
}

func (s *snapshot) open(ctx context.Context) (io.ReadCloser, error) {
	d, err := s.in.dump(ctx)
	if err != nil {
		return nil, err
	}
	return newSteady(newTee(d, s.r, s.keep)), nil
}

func (s *snapshot) keep(found *census) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = found
}

// Manifest is what the walk beside the copying found.
func (s *snapshot) Manifest(ctx context.Context) (service.Manifest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found == nil {
		return service.Manifest{}, fmt.Errorf("%s was not read to its end", partName)
	}
	return service.Manifest{
		Taken:    s.found.taken(),
		Version:  s.about.release(),
		Identity: s.in.identityOf(s.about),
		Counts:   s.found.counts(),
		Entries:  s.found.entries(),
		Attrs:    s.attrs(),
		Findings: s.found.findings(),
	}, nil
}

func (s *snapshot) attrs() map[string]string {
	aof := "no"
	if s.about["aof_enabled"] == "1" {
		aof = "yes"
	}
	return map[string]string{
		attrFormat: s.found.head.String(),
		attrMemory: s.found.aux["used-mem"],
		attrServer: s.about.server(),
		attrAOF:    aof,
	}
}

// Close has nothing to release: whoever opened the part closes it.
func (s *snapshot) Close() error { return nil }

// tee gives out an RDB while a census is taken of it, at the pace of the slower
// one. A file that turns out damaged ends with an error and never with io.EOF.
type tee struct {
	source *dump
	to     *io.PipeWriter
	census chan verdictOf
	report service.Report
	keep   func(*census)
	ended  error // what Read returns from now on
}

type verdictOf struct {
	found *census
	err   error
}

func newTee(source *dump, r service.Report, keep func(*census)) *tee {
	from, to := io.Pipe()
	t := &tee{source: source, to: to, census: make(chan verdictOf, 1), report: r, keep: keep}
	go func() {
		found, err := take(from, nil)
		_ = from.CloseWithError(err) // always nil; a failed census ends the copy
		t.census <- verdictOf{found, err}
	}()
	return t
}

func (t *tee) Read(p []byte) (int, error) {
	if t.ended != nil {
		return 0, t.ended
	}
	n, err := t.source.Read(p)
	if n > 0 {
		if _, damage := t.to.Write(p[:n]); damage != nil {
			err = t.judge(errTrailing) // the census stops early only over damage
		}
		t.report.Add(t.source.n, t.source.size())
	}
	if errors.Is(err, io.EOF) {
		err = t.judge(io.EOF)
	}
	t.ended = err
	return n, err
}

// judge waits for the census. It returns its error, else end.
func (t *tee) judge(end error) error {
	_ = t.to.Close() // always nil
	got := <-t.census
	if got.err != nil {
		return fmt.Errorf("the copy that %s sent: %w", t.source.c.address, got.err)
	}
	t.keep(got.found)
	return end
}

var errClosed = errors.New("closed before its end")

func (t *tee) Close() error {
	_ = t.to.CloseWithError(errClosed) // always nil; ends the census
	return t.source.Close()
}
