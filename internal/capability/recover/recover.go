// Package recover brings a target back in an emergency: it ends whoever writes into it,
// has what is there saved and proven by others, lets the kind put the newest copy that is
// right in its place, and judges what came of it.
package recover

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "recover".
func Words() []byte { return text }

// Recover is the recovery of one target.
type Recover struct {
	Inventory *inventory.Inventory
	Target    inventory.Target
	Wanted    service.Wanted
	// Prove reads back what was saved before; nil where nothing was.
	Prove func(ctx context.Context, earlier map[string]service.Done, r service.Report) error
}

// What its steps do.
const (
	opHalt    = "end"
	opProve   = "prove"
	opUnsaved = "unsaved"
	opOwn     = "recover" // a step of the kind's own
	opCompare = "judge"
)

// Steps are what has to be done, in this order. What is there is saved between Halts and
// Puts.
type Steps struct {
	Told  []service.Step // only say something
	Halts []service.Step
	Puts  []service.Step
	After []service.Step
}

// Steps asks the target for what brings it back. There are none where nothing has to be.
func (r Recover) Steps(ctx context.Context) (s Steps, err error) {
	own, err := r.own(func(rec service.Recoverer, _ service.Instance) ([]service.Step, error) {
		return rec.Recovery(ctx, r.Wanted)
	})
	if err != nil || len(own) == 0 {
		return s, err
	}
	if r.Target.Kind.Offers("diagnose") {
		s.After = []service.Step{r.step(opCompare, service.ReadOnly)}
	}
	err = r.around(ctx, own, &s)
	return s, err
}

// Undo lists what takes the steps of a run back, the last one first.
func (r Recover) Undo(ctx context.Context, done []journal.Step) (s Steps, err error) {
	own, err := r.own(func(_ service.Recoverer, in service.Instance) ([]service.Step, error) { return back(ctx, in, done) })
	if err == nil && len(own) == 0 {
		err = fmt.Errorf("it did nothing that has to be taken back: %w", service.ErrRefused)
	}
	if err != nil {
		return s, err
	}
	err = r.around(ctx, own, &s)
	return s, err
}

func back(ctx context.Context, in service.Instance, done []journal.Step) (steps []service.Step, err error) {
	undoer, err := service.As[service.Undoer](in)
	if err != nil {
		return nil, err
	}
	for i := len(done) - 1; i >= 0; i-- {
		d := done[i]
		if d.Work == nil || d.Work.Op != opOwn || d.Error != nil || d.Skipped || d.Work.Risk == service.ReadOnly {
			continue
		}
		own, err := unwrap(*d.Work)
		if err != nil {
			return nil, err
		}
		more, err := undoer.Undo(ctx, own, d.Result)
		if err != nil {
			return nil, fmt.Errorf("take back %q: %w", d.ID, err)
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

// own opens the target and completes the steps that it gives.
func (r Recover) own(list func(service.Recoverer, service.Instance) ([]service.Step, error)) (steps []service.Step, err error) {
	in, err := r.Target.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	rec, err := service.As[service.Recoverer](in)
	if err != nil {
		return nil, err
	}
	own, err := list(rec, in)
	if err != nil {
		return nil, fmt.Errorf("plan the recovery of %s: %w", r.Target.Name, err)
	}
	for _, s := range own {
		steps = append(steps, r.wrap(s))
	}
	return steps, nil
}

// wrap makes a step of the plan from the kind's own, which it carries whole.
func (r Recover) wrap(own service.Step) service.Step {
	title, note := own.Title, own.Note
	own.Title, own.Note = service.Message{}, service.Message{} // the plan has them
	if !strings.Contains(title.ID, ".") {
		title.ID = r.Target.Kind.Name() + "." + title.ID
	}
	return service.Step{ID: r.Target.Name + " " + own.ID, Target: r.Target.Name, Op: opOwn, Args: encode(own), Risk: own.Risk, Title: title, Note: note}
}

func unwrap(s service.Step) (own service.Step, err error) {
	if err := json.Unmarshal(s.Args, &own); err != nil {
		return own, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	return own, nil
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // plain values always encode
	}
	return text
}

// around tells the kind's own steps that do something from those that say something, and
// adds who has to end before.
func (r Recover) around(ctx context.Context, own []service.Step, s *Steps) (err error) {
	for _, step := range own {
		if step.Risk == service.ReadOnly {
			s.Told = append(s.Told, step)
			continue
		}
		s.Puts = append(s.Puts, step)
	}
	s.Halts, err = r.halts(ctx)
	return err
}

func (r Recover) step(op string, risk service.Risk) service.Step {
	return service.Step{ID: op + " " + r.Target.Name, Target: r.Target.Name, Op: op, Risk: risk,
		Title: service.Message{ID: "recover." + op, Args: service.Args{"target": r.Target.Name}}}
}

// Proof is the step that reads back what was saved.
func (r Recover) Proof() service.Step { return r.step(opProve, service.ReadOnly) }

// Unsaved says that nothing is saved but what the kind itself keeps.
func (r Recover) Unsaved() service.Step { return r.step(opUnsaved, service.ReadOnly) }

// Does reports whether a step is one of its own.
func (Recover) Does(s service.Step) bool {
	switch s.Op {
	case opHalt, opProve, opUnsaved, opOwn, opCompare:
		return true
	}
	return false
}

// Do does one step.
func (r Recover) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	switch t.Step.Op {
	case opHalt:
		return halt(ctx, t)
	case opProve:
		return service.Outcome{}, r.Prove(ctx, t.Earlier, t.Report)
	case opOwn:
		return r.put(ctx, t)
	case opCompare:
		return r.compare(ctx, t)
	}
	return service.Outcome{}, nil
}

// put does one of the kind's own steps, while nobody writes.
func (r Recover) put(ctx context.Context, t service.Task) (service.Outcome, error) {
	rec, err := service.As[service.Recoverer](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	if t.Step.Risk != service.ReadOnly {
		if err := errors.Join(halted(t.Earlier), r.quiet(ctx)); err != nil {
			return service.Outcome{}, err
		}
	}
	own, err := unwrap(t.Step)
	if err != nil {
		return service.Outcome{}, err
	}
	return rec.Recover(ctx, own, r.Wanted.Open, t.Report)
}

// compare judges everything that the target holds now.
func (r Recover) compare(ctx context.Context, t service.Task) (service.Outcome, error) {
	diagnoser, err := service.As[service.Diagnoser](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	v, err := diagnoser.Diagnose(ctx, t.Report)
	if err != nil {
		return service.Outcome{Verdict: v}, fmt.Errorf("judge what came of it: %w", err)
	}
	v.Merge(r.Inventory.Assert(ctx, t.Instance, t.Step.Target, "restore"))
	return service.Outcome{Verdict: v}, nil
}
