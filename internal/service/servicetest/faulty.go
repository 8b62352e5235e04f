package servicetest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"upkeep/internal/service"
)

// Fault is one way to break the contract or to fail.
type Fault string

// Faults that break the contract: Run finds each of them.
const (
	CheckWrites    Fault = "check changes the target"
	CheckMute      Fault = "check finds something without words"
	CheckBlind     Fault = "check says ok while the component is away"
	CheckDeaf      Fault = "check ignores the end of its context"
	OpenConnects   Fault = "open fails while the component is away"
	CloseOnce      Fault = "the second close fails"
	Unordered      Fault = "parts come out of order"
	Twice          Fault = "a part comes twice"
	Restless       Fault = "two manifests of the same content differ"
	VerifyBlind    Fault = "verify never finds anything"
	VerifyTrusting Fault = "restore and verify trust the stored bytes"
	RestoreAdds    Fault = "a second restore doubles the content"
	ScratchStays   Fault = "a closed scratch leaves its directory"
	SweepNothing   Fault = "sweep leaves everything"
	ExtractOut     Fault = "extract leads out of its directory"
	ExtractBare    Fault = "extract has no README.md"
	LeakGoroutine  Fault = "an instance leaves a goroutine"
)

// Faults that any component can have: whoever calls the kind must cope.
const (
	CheckFails   Fault = "check fails"
	ListFails    Fault = "the list of parts breaks off with an error"
	ShortStream  Fault = "the content of a part breaks off with an error"
	AlwaysMoves  Fault = "a part changes whenever it is read"
	PartGone     Fault = "a part is gone when it is opened"
	RestoreFails Fault = "restore fails half way"
	CheckPanics  Fault = "check panics"
)

// Faults are those that break the contract.
func Faults() []Fault {
	return []Fault{CheckWrites, CheckMute, CheckBlind, CheckDeaf, OpenConnects, CloseOnce, Unordered, Twice, Restless,
		VerifyBlind, VerifyTrusting, RestoreAdds, ScratchStays, SweepNothing, ExtractOut, ExtractBare, LeakGoroutine}
}

// ErrBroken is what a faulty instance fails with.
var ErrBroken = errors.New("broken on purpose")

// Faulty is the bucket's kind with one fault, named "faulty".
func Faulty(b *Bucket, fault Fault) service.Kind {
	open := func(env service.Env, _ struct{}) (*faulty, error) {
		if fault == OpenConnects && b.down.Load() {
			return nil, ErrBroken
		}
		return &faulty{fake: fake{env: env, bucket: b}, fault: fault}, nil
	}
	return service.Define("faulty", open, fakeText, fakeExample)
}

type faulty struct {
	fake
	fault  Fault
	closed bool
}

func (f *faulty) Close() error {
	if f.fault == CloseOnce && f.closed {
		return ErrBroken
	}
	f.closed = true
	if f.fault == ScratchStays {
		return nil
	}
	return f.fake.Close()
}

func (f *faulty) Check(ctx context.Context) (service.Verdict, error) {
	switch f.fault {
	case CheckFails:
		return service.Verdict{}, ErrBroken
	case CheckPanics:
		panic(ErrBroken)
	case CheckBlind:
		return service.Verdict{}, nil
	case CheckDeaf:
		v, err := f.fake.Check(context.WithoutCancel(ctx))
		return v, err
	case CheckWrites:
		f.bucket.name += "'"
	case CheckMute:
		return service.Verdict{Findings: []service.Finding{{ID: "mute", Severity: service.Warning}}}, nil
	case LeakGoroutine:
		go func() { select {} }()
	}
	return f.fake.Check(ctx)
}

func (f *faulty) Snapshot(ctx context.Context, prev service.Previous, r service.Report) (service.Snapshot, error) {
	snap, err := f.fake.Snapshot(ctx, prev, r)
	if err != nil {
		return nil, err
	}
	return &faultySnapshot{Snapshot: snap, fault: f.fault, version: f.bucket.moved(f.fault)}, nil
}

// moved counts snapshots where their manifests are to differ.
func (b *Bucket) moved(fault Fault) int64 {
	if fault != Restless {
		return 0
	}
	return b.opened.Add(1)
}

func (f *faulty) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	switch f.fault {
	case RestoreFails:
		half := service.Selection{Only: "object-0000*"}
		return errors.Join(f.fake.Restore(ctx, c, half, r), ErrBroken)
	case VerifyTrusting:
		return f.restoreTrusting(ctx, c)
	case RestoreAdds:
		keys, _, _ := f.bucket.view()
		err := f.fake.Restore(ctx, c, sel, r)
		for _, key := range keys {
			f.bucket.Put(key+"'", "doubled")
		}
		return err
	}
	return f.fake.Restore(ctx, c, sel, r)
}

func (f *faulty) restoreTrusting(ctx context.Context, c service.Copy) error {
	for p, err := range c.Parts(ctx) {
		if err != nil {
			return err
		}
		r, err := p.Open(ctx)
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		f.bucket.Put(p.Name, string(content))
	}
	return nil
}

func (f *faulty) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	v, err := f.fake.Verify(ctx, c, r)
	if f.fault == VerifyBlind || f.fault == VerifyTrusting && len(v.Findings) > 0 && v.Findings[0].ID == "differs" {
		v.Findings = nil
	}
	return v, err
}

func (f *faulty) Scratch(ctx context.Context, c service.Copy, r service.Report) (service.Instance, error) {
	in, err := f.fake.Scratch(ctx, c, r)
	if err != nil {
		return nil, err
	}
	return &faulty{fake: *in.(*fake), fault: f.fault}, nil
}

func (f *faulty) Sweep(ctx context.Context) error {
	if f.fault == SweepNothing {
		return nil
	}
	return f.fake.Sweep(ctx)
}

func (f *faulty) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) error {
	return f.fake.Extract(ctx, c, sel, func(h *tar.Header, content io.Reader) error {
		switch {
		case f.fault == ExtractOut:
			h.Name = "../" + h.Name
		case f.fault == ExtractBare && h.Name == "README.md":
			return nil
		}
		return put(h, content)
	})
}

type faultySnapshot struct {
	service.Snapshot
	fault   Fault
	version int64
}

func (s *faultySnapshot) Manifest(ctx context.Context) (service.Manifest, error) {
	m, err := s.Snapshot.Manifest(ctx)
	m.Counts["objects"] += s.version
	return m, err
}

func (s *faultySnapshot) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		var held *service.Part
		n := 0
		for p, err := range s.Snapshot.Parts(ctx) {
			n++
			switch {
			case err != nil || n != 2:
			case s.fault == ListFails:
				yield(service.Part{}, ErrBroken)
				return
			case s.fault == Unordered:
				held = &p
				continue
			case s.fault == Twice:
				if !yield(p, nil) {
					return
				}
			default:
				p.Open = s.opener(p)
			}
			if !yield(p, err) {
				return
			}
			if held != nil && !yield(*held, nil) {
				return
			}
			held = nil
		}
	}
}

// opener is that of the second part of a snapshot.
func (s *faultySnapshot) opener(p service.Part) func(context.Context) (io.ReadCloser, error) {
	end := map[Fault]error{ShortStream: ErrBroken, AlwaysMoves: service.ErrChanged, PartGone: service.ErrNotFound}[s.fault]
	if end == nil {
		return p.Open
	}
	return func(ctx context.Context) (io.ReadCloser, error) {
		if s.fault == PartGone {
			return nil, fmt.Errorf("open %s: %w", p.Name, end)
		}
		return io.NopCloser(io.MultiReader(strings.NewReader("be"), breaking{fmt.Errorf("read %s: %w", p.Name, end)})), nil
	}
}

// breaking is a reader that fails.
type breaking struct{ err error }

func (b breaking) Read([]byte) (int, error) { return 0, b.err }
