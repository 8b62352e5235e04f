package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/internal/service"
)

// What a step does. Steps of one target come in this order.
const (
	opRefuse     = "refuse"     // says that a rotation that is due cannot be done
	opRotate     = "rotate"     // moves the present file aside
	opReopen     = "reopen"     // ends a rotation that was cut off before its signal
	opCompress   = "compress"   // of rotated files
	opDelete     = "delete"     // of rotated files
	opUnrotate   = "unrotate"   // takes a rotation back
	opDecompress = "decompress" // takes a compression back
)

// work is what a step is about: files of one log as they were when it was planned.
type work struct {
	Files []file       `json:"files"`
	Why   service.Args `json:"why,omitempty"`
	// To is what was made of the files, by place: the rotated name, the compressed file.
	To []outcome `json:"to,omitempty"`
}

// outcome is one file after its step.
type outcome struct {
	Name   raw    `json:"name"`
	Fresh  file   `json:"fresh,omitzero"`   // the new file of a rotation
	Bytes  int64  `json:"bytes,omitempty"`  // of the plain text
	SHA256 string `json:"sha256,omitempty"` // of the plain text
}

// Maintenance lists what is due: rotations by size and age, then compression, then
// deletion. Sizes of files that are being written are no part of a step: they would
// make every plan stale.
func (in *Instance) Maintenance(ctx context.Context) ([]service.Step, error) {
	f, err := in.find(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for log files: %w", err)
	}
	if len(f.unreadable) > 0 {
		return nil, fmt.Errorf("look into %v: %w", f.unreadable, service.ErrDenied)
	}
	h, err := in.holders(ctx, nodes(f.each))
	if err != nil {
		return nil, fmt.Errorf("look who has files open: %w", err)
	}
	return in.planned(f, h), nil
}

func (in *Instance) planned(f *found, h *holders) (steps []service.Step) {
	for _, plan := range []func(*log, *holders) []service.Step{in.rotations, in.compressions, in.deletions} {
		for _, l := range f.logs {
			steps = append(steps, plan(l, h)...)
		}
	}
	return steps
}

func (in *Instance) rotations(l *log, h *holders) (steps []service.Step) {
	for _, g := range in.unfinished(l, h) {
		steps = append(steps, step(opReopen, service.Reversible, g.path(), work{Files: []file{g.file}},
			service.Args{"path": shown(g.path()), "by": who(in.use(g.file, h).writers)}))
	}
	due, title := in.due(l)
	if !due {
		return steps
	}
	now := *l.current
	if reason, by := in.refusal(in.use(now, h)); reason != "" {
		return append(steps, refuse(opRotate, l.path(), now, reason, by))
	}
	s := step(opRotate, service.Reversible, l.path(), work{Files: []file{now.steady()}}, service.Args{
		"path": shown(l.path()), "size": int64(in.cfg.Rotate.Size), "age": in.cfg.Rotate.Age.Std().Seconds()})
	s.Title.ID = title
	return append(steps, s)
}

// refuse is a step that only says why another one cannot be done.
func refuse(op, path string, about file, reason string, by []holder) service.Step {
	why := service.Args{"what": op, "path": shown(path), "reason": reason, "by": who(by)}
	s := step(opRefuse, service.ReadOnly, path, work{Files: []file{about.steady()}, Why: why}, why)
	s.ID = opRefuse + " " + op + " " + shown(path)
	return s
}

// steady leaves out what changes with every line.
func (f file) steady() file {
	f.Size, f.Last = 0, 0
	return f
}

func step(op string, risk service.Risk, path string, w work, title service.Args) service.Step {
	args, err := json.Marshal(w)
	if err != nil {
		panic(fmt.Sprintf("encode step %s: %v", op, err)) // plain values always encode
	}
	return service.Step{ID: op + " " + shown(path), Op: op, Args: args, Risk: risk, Title: service.Message{ID: op, Args: title}}
}

// due reports whether the present file is to be rotated, and the title that says why.
// A file without a line is not. Where the file system does not say when a file was
// begun, its last rotation does.
func (in *Instance) due(l *log) (bool, string) {
	if l.current == nil || l.current.Size == 0 {
		return false, ""
	}
	rotate, begun := in.cfg.Rotate, l.current.Born
	if begun == 0 && len(l.generations) > 0 {
		begun = l.generations[len(l.generations)-1].Last
	}
	switch {
	case rotate.Size > 0 && l.current.Size >= int64(rotate.Size):
		return true, "rotate-size"
	case rotate.Age > 0 && begun > 0 && in.env.Now().Sub(time.Unix(0, begun)) >= rotate.Age.Std():
		return true, "rotate-age"
	}
	return false, ""
}

// refusal says why a file must not be rotated, or nothing: somebody writes into it
// and would go on doing so, or that cannot be told.
func (in *Instance) refusal(u use) (reason string, by []holder) {
	switch {
	case len(u.writers) > 0 && !in.cfg.Rotate.Reopen.declared():
		return "no-reopen", u.writers
	case len(u.blind) > 0:
		return "blind", u.blind
	}
	return "", nil
}

// unfinished are our own rotations whose writer never got its signal: upkeep was
// killed in between. A writer that looks by itself may hold a file until its next line.
func (in *Instance) unfinished(l *log, h *holders) (left []generation) {
	for _, g := range l.generations {
		if g.own && !g.zipped && in.cfg.Rotate.Reopen.Signal != "" && len(in.use(g.file, h).writers) > 0 {
			left = append(left, g)
		}
	}
	return left
}

func (in *Instance) aged(g generation, limit time.Duration) bool {
	return limit > 0 && in.env.Now().Sub(g.written()) >= limit
}

// beyond reports whether the i-th of n generations, counted from the oldest, is more
// than are kept.
func (in *Instance) beyond(i, n int) bool { return in.cfg.Keep > 0 && n-i > in.cfg.Keep }

func (in *Instance) compressions(l *log, h *holders) []service.Step {
	if in.cfg.CompressAfter == 0 {
		return nil
	}
	var due []generation
	for i, g := range l.generations {
		if !g.zipped && (in.aged(g, in.cfg.CompressAfter.Std()) || in.beyond(i, len(l.generations))) {
			due = append(due, g)
		}
	}
	return in.about(opCompress, service.Reversible, l, due, h)
}

// deletions are of compressed files only, where files are compressed: the rest is
// compressed first.
func (in *Instance) deletions(l *log, h *holders) []service.Step {
	var due []generation
	for i, g := range l.generations {
		ripe := g.zipped || in.cfg.CompressAfter == 0
		if ripe && (in.aged(g, in.cfg.DeleteAfter.Std()) || in.beyond(i, len(l.generations))) {
			due = append(due, g)
		}
	}
	return in.about(opDelete, service.Destructive, l, due, h)
}

// about is one step for those generations of a log that nobody has open, or none.
// Where it cannot be told who has them open, that is said.
func (in *Instance) about(op string, risk service.Risk, l *log, due []generation, h *holders) []service.Step {
	var w work
	var bytes int64
	for _, g := range due {
		u := in.use(g.file, h)
		if len(u.blind) > 0 {
			return []service.Step{refuse(op, l.path(), g.file, "blind", u.blind)}
		}
		if len(u.writers) > 0 || h.has(g.file) {
			continue
		}
		w.Files = append(w.Files, g.file)
		bytes += g.Size
	}
	if len(w.Files) == 0 {
		return nil
	}
	return []service.Step{step(op, risk, l.path(), w, service.Args{"path": shown(l.path()), "n": len(w.Files), "bytes": bytes})}
}

// Do does one step.
func (in *Instance) Do(ctx context.Context, s service.Step, r service.Report) (o service.Outcome, err error) {
	var w work
	if err := json.Unmarshal(s.Args, &w); err != nil || len(w.Files) == 0 {
		return o, fmt.Errorf("read step %s: %w", s.ID, orStale(err))
	}
	if s.Op == opRefuse {
		o.Verdict.Warn("rotation-refused", fmt.Sprint(w.Why["path"]), w.Why)
		return o, nil
	}
	d, err := openDir(string(w.Files[0].Dir))
	if err != nil {
		return o, err
	}
	defer d.Close()
	t := &tending{in: in, d: d, report: r, verdict: &o.Verdict}
	if w.To, err = t.do(ctx, s.Op, w); err != nil {
		return o, err
	}
	o.Result, err = json.Marshal(w)
	return o, err
}

func (t *tending) do(ctx context.Context, op string, w work) ([]outcome, error) {
	switch op {
	case opRotate:
		return t.rotate(ctx, w.Files[0])
	case opReopen:
		return nil, t.reopen(ctx, w.Files[0])
	case opUnrotate:
		return nil, t.unrotate(ctx, w)
	case opCompress:
		return t.each(ctx, w.Files, t.compress)
	case opDecompress:
		return nil, t.decompressAll(ctx, w)
	case opDelete:
		return t.each(ctx, w.Files, t.remove)
	}
	return nil, fmt.Errorf("do step %q: %w", op, service.ErrUnsupported)
}

func orStale(err error) error {
	if err != nil {
		return err
	}
	return service.ErrStale
}
