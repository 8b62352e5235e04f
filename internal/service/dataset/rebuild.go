package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"upkeep/internal/service"
)

// rebuild is what a step of opRebuild needs.
type rebuild struct {
	Copy string `json:"copy"`   // the name of the agreement
	Sum  string `json:"sha256"` // of what was brought back
}

// rebuilt is what it gave: the care that wrote the table anew, and increments that were put
// away for it, from path to where they are now.
type rebuilt struct {
	Steps []did             `json:"steps,omitempty"`
	Aside map[string]string `json:"aside,omitempty"`
}

type did struct {
	Step   service.Step    `json:"step"`
	Result json.RawMessage `json:"result,omitempty"`
}

// rebuild writes a table anew from the one that was brought back, unless it holds the same.
// Its increments are put away: they are of what was there before. Where nothing can write it,
// that is said.
func (in *Instance) rebuild(ctx context.Context, s service.Step, r service.Report) (o service.Outcome, err error) {
	b, err := argsOf[rebuild](s)
	if err != nil {
		return o, err
	}
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return o, err
	}
	a, declared := cfg.Copies[b.Copy]
	if !declared {
		return o, fmt.Errorf("copy %s: it is not declared any more: %w", b.Copy, service.ErrStale)
	}
	same, err := in.agrees(ctx, b.Copy, a)
	if err != nil || same && !in.last(ctx).rebuilds(b) {
		return o, err
	}
	done, err := in.rebuiltNow(ctx, b, cfg, r, &o.Verdict)
	if len(done.Aside) > 0 {
		kept := slices.Sorted(maps.Values(done.Aside))
		o.Verdict.Warn("dataset.set-aside", a.Copy, service.Args{"table": a.Copy, "increments": len(kept), "kept": bounded(kept)})
	}
	text, encoded := json.Marshal(done)
	o.Result = text
	return o, errors.Join(err, encoded)
}

// rebuilds reports whether the table is being written anew already, by a run that was
// killed.
func (u underway) rebuilds(b rebuild) bool {
	return u.Sum == b.Sum && len(u.Aside)+len(u.Steps[b.Copy]) > 0
}

func (in *Instance) agrees(ctx context.Context, name string, a Agreement) (bool, error) {
	args := service.Args{"same": true}
	err := in.disagree(ctx, name, a, args)
	return args["same"] == true, err
}

func (in *Instance) rebuiltNow(ctx context.Context, b rebuild, cfg Config, r service.Report, v *service.Verdict) (done rebuilt, err error) {
	table := cfg.Copies[b.Copy].Copy
	if done.Aside, err = in.setAside(ctx, b, cfg.Tables[table]); err != nil {
		return done, err
	}
	if steps := in.last(ctx).Steps[b.Copy]; len(steps) > 0 {
		if done.Steps, err = in.doEach(ctx, steps, r, v); !errors.Is(err, service.ErrStale) {
			return done, err
		}
	}
	steps, err := in.Curate(ctx, service.Work{Care: service.Convert, To: table})
	if errors.Is(err, service.ErrUnsupported) || errors.Is(err, service.ErrRefused) {
		v.Warn("dataset.not-rebuilt", table, service.Args{"table": table, "detail": err.Error()})
		aside := done.Aside
		done.Aside = nil
		return done, in.comeBack(aside)
	}
	if err == nil {
		err = in.beginSteps(ctx, b, steps)
	}
	if err != nil {
		return done, err
	}
	done.Steps, err = in.doEach(ctx, steps, r, v)
	return done, err
}

// beginSteps writes down what is about to be done: a step that is done again finds its work
// done by that, and knows the way back.
func (in *Instance) beginSteps(ctx context.Context, b rebuild, steps []service.Step) error {
	u := in.last(ctx)
	if u.Sum != b.Sum {
		u = underway{Sum: b.Sum}
	}
	if u.Steps == nil {
		u.Steps = map[string][]service.Step{}
	}
	u.Steps[b.Copy] = steps
	return in.begin(ctx, u)
}

func (in *Instance) doEach(ctx context.Context, steps []service.Step, r service.Report, v *service.Verdict) (done []did, err error) {
	for _, s := range steps {
		out, err := in.Do(ctx, s, r)
		v.Merge(out.Verdict)
		if err != nil {
			return done, fmt.Errorf("%s: %w", s.ID, err)
		}
		done = append(done, did{s, out.Result})
	}
	return done, nil
}

// setAside moves the increments of a table to where originals are kept. Which ones is
// written down before: a step that is done again finds them there.
func (in *Instance) setAside(ctx context.Context, b rebuild, t Table) (moved map[string]string, err error) {
	u := in.last(ctx)
	if u.Sum != b.Sum {
		u = underway{Sum: b.Sum}
	}
	paths, err := in.find(t.Increments.Files)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		inc, err := in.see(path)
		if err != nil {
			return nil, err
		}
		u.Aside = append(u.Aside, inc)
	}
	if err := in.begin(ctx, u); err != nil {
		return nil, err
	}
	moved = map[string]string{}
	for _, inc := range u.Aside {
		kept := in.keptState(inc.state)
		if in.unchanged(inc) == nil {
			if kept, err = in.putAway(inc); err != nil {
				return moved, err
			}
		}
		if kept != "" {
			moved[inc.Path] = kept
		}
	}
	return moved, nil
}

func (in *Instance) undoRebuild(ctx context.Context, done json.RawMessage) (steps []service.Step, err error) {
	var b rebuilt
	if len(done) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(done, &b); err != nil {
		return nil, fmt.Errorf("read what was written anew: %w", err)
	}
	for _, d := range slices.Backward(b.Steps) {
		back, err := in.Undo(ctx, d.Step, d.Result)
		if err != nil {
			return nil, err
		}
		steps = append(steps, back...)
	}
	aside, err := json.Marshal(b.Aside)
	if err != nil {
		return nil, err
	}
	back, err := in.undoClear(ctx, aside)
	return append(steps, back...), err
}

// comeBack moves increments back to where they were.
func (in *Instance) comeBack(aside map[string]string) (err error) {
	for path, kept := range aside {
		err = errors.Join(err, in.returned(path, kept))
	}
	return err
}
