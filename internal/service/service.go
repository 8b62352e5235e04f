// Package service is the contract between service kinds and capabilities.
// Kinds implement it, capabilities consume it, and it imports neither.
//
// A kind offers a capability by having its method: everything beyond Close is
// optional and found by assertion. Values are passed as they are, never wrapped:
// a decorator would hide the optional interfaces.
package service

import (
	"archive/tar"
	"context"
	"io"
	"iter"

	dto "github.com/prometheus/client_model/go"
)

// Instance is one declared target. Opening it never connects; it may keep
// connections between calls until Close. Its methods may be called side by side.
type Instance interface{ Close() error }

// Checker judges the target now. It reads only and takes seconds. A finding is
// data; an error means "could not tell". Both may be set: what was found before
// the error still counts.
type Checker interface {
	Check(ctx context.Context) (Verdict, error)
}

// Diagnoser judges everything that a target holds, value by value. It reads only and
// may take minutes.
type Diagnoser interface {
	Diagnose(ctx context.Context, r Report) (Verdict, error)
}

// Collector takes one round of samples under the names of the stock exporters
// (node_, pg_, redis_, probe_ …), as metric families without timestamps. emit is
// safe for concurrent use; the caller adds the target's label.
type Collector interface {
	Collect(ctx context.Context, emit func(*dto.MetricFamily)) error
}

// Identifier says which thing answers at the target's address and in which
// shape: a string that changes when the server, its major version, its schema or
// the selected database or directory changes, and stays when only data changes.
// It is compared for equality and shown to people, so it holds no secret.
type Identifier interface {
	Identity(ctx context.Context) (string, error)
}

// Sizer estimates what Snapshot would read, in bytes, cheaply and rather too
// high than too low. It is asked before a backup; an error means "unknown" and
// is shown as such.
type Sizer interface {
	Size(ctx context.Context) (int64, error)
}

// Source opens one consistent view while the service keeps running. It may be
// called again after a failure, must stop when ctx ends and must not hold the
// copy in memory or on the disk of the source. prev is for a kind whose parts are
// costly to describe.
type Source interface {
	Snapshot(ctx context.Context, prev Previous, r Report) (Snapshot, error)
}

// Previous waits for the newest complete copy of the same target, nil for none.
// Whoever does not ask is not kept waiting while the repository is opened.
type Previous func(ctx context.Context) (Copy, error)

// NoPrevious is that of a first copy.
func NoPrevious(context.Context) (Copy, error) { return nil, nil }

// Restorer replaces the target's contents with a copy, or only those parts of it
// that sel names; a selection it cannot honour is an error wrapping
// ErrUnsupported before anything is changed. It must be repeatable: a second
// call after an interrupted first one ends in the same state.
type Restorer interface {
	Restore(ctx context.Context, c Copy, sel Selection, r Report) error
}

// Driller makes a disposable, empty sibling of the target, sized for the copy c.
// It works while the target is down and never connects to it. The sibling is a
// Restorer and a Verifier; its Close removes every trace of it. Where no sibling
// can be had the error wraps ErrNoScratch and says why.
type Driller interface {
	Scratch(ctx context.Context, c Copy, r Report) (Instance, error)
	// Sweep removes what earlier, killed runs left behind and nothing else.
	Sweep(ctx context.Context) error
}

// Verifier compares the target's present content with what the copy's manifest
// promises, and runs the service's own integrity checks. A difference is a
// critical finding; an error means that it could not be told. The facts hold
// what was compared under the names of Manifest.Counts.
type Verifier interface {
	Verify(ctx context.Context, c Copy, r Report) (Verdict, error)
}

// Extractor turns a copy into ordinary files that stock tools read, one put after
// the other, and a README.md among them that says how. It needs no running
// service. put reads content to its end; names in headers are relative, clean and
// slash-separated; Size is exact. content is nil for what has none.
type Extractor interface {
	Extract(ctx context.Context, c Copy, sel Selection, put func(h *tar.Header, content io.Reader) error) error
}

// Queryer answers one read-only statement of the declaration (assertions:,
// reconcile:), row by row. A row is as wide as the statement's result; a value is
// nil, bool, int64, float64, string or time.Time.
type Queryer interface {
	Query(ctx context.Context, statement string) iter.Seq2[Row, error]
}

// Describer names the columns of an answer, for one that may have no rows to tell them.
type Describer interface {
	Columns(ctx context.Context, statement string) ([]string, error)
}

// Holder says whether a file of that name would lie in what the target holds: nothing but
// its care may put one there.
type Holder interface{ Holds(path string) bool }

// Row is one row of a Queryer's answer.
type Row struct {
	Columns []string // names, where the statement gives any; shared by all rows of an answer
	Values  []any
}

// Prober says whether the kind's outside needs are met: programs it would run and
// scratch servers it would start. upkeep doctor prints it; nothing is changed.
type Prober interface {
	Probe(ctx context.Context) []Need
}

// Need is one program or permission that a kind uses when it is there.
type Need struct {
	Name  string // "pg_dump 15"
	Found string // where, and its version; empty when missing
	Use   string // capability that needs it: "backup", "drill"
	// Container is where it is taken from: the service that runs_in names; empty = this
	// machine.
	Container string `json:",omitempty"`
	Image     bool   `json:",omitempty"` // that does not run: it was looked for in its image
	Install   string `json:",omitempty"` // command that puts it on this machine, where there is one
}

// Selection narrows a restore. The zero value selects everything.
type Selection struct {
	Only string // one table, file, prefix or label, in the kind's own spelling; may hold * wildcards
}

// All reports whether nothing is left out.
func (s Selection) All() bool { return s.Only == "" }

// Report is how long work tells where it stands. The zero value discards. Its
// funcs are safe for concurrent use and never block.
type Report struct {
	Progress func(done, total int64) // bytes; total is 0 while unknown
}

// Add reports progress where somebody listens.
func (r Report) Add(done, total int64) {
	if r.Progress != nil {
		r.Progress(done, total)
	}
}
