// Package drill restores a point into disposable servers and compares what they
// hold with what the point's manifest promises. Nothing else proves a copy. It
// never connects to the targets themselves.
package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/consistency"
	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// Drill proves one point.
type Drill struct {
	Repository *repository.Repository
	Inventory  *inventory.Inventory
	Point      repository.Point
	Targets    []string      // to drill; a point is proven only by a drill of all its copies
	Rules      []config.Rule // between targets that are drilled
	Ledger     func(ctx context.Context) (*consistency.Ledger, error)
	Scratch    func() (free int64, err error)
	Now        func() time.Time
}

const (
	opTarget    = "target"
	opReconcile = "reconcile"
	opProve     = "prove"
)

// result is what the drill of one target measured.
type result struct {
	Taken    time.Time        `json:"taken"`
	Took     time.Duration    `json:"took"`
	Compared map[string]int64 `json:"compared"`
}

// Steps lists one step per copy, then the proof that lasts with the point.
func (d Drill) Steps() []service.Step {
	var steps []service.Step
	for _, name := range d.Targets {
		steps = append(steps, service.Step{ID: stepOf(name), Target: name, Op: opTarget, Risk: service.ReadOnly,
			Title: service.Message{ID: "drill.target", Args: service.Args{"target": name}}})
	}
	for _, rule := range d.Rules {
		steps = append(steps, service.Step{ID: opReconcile + " " + rule.Name, Op: opReconcile, Risk: service.ReadOnly,
			Title: service.Message{ID: "reconcile.rule", Args: service.Args{"rule": rule.Name, "rows": rule.Rows.Target, "things": rule.Things()}}})
	}
	return append(steps, service.Step{ID: opProve, Op: opProve, Risk: service.ReadOnly,
		Title: service.Message{ID: "drill.prove", Args: service.Args{"point": d.Point.ID}}})
}

func stepOf(target string) string { return "drill " + target }

// Do does one step.
func (d Drill) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	switch t.Step.Op {
	case opProve:
		return d.prove(ctx, t)
	case opReconcile:
		return d.reconcile(ctx, t)
	}
	return d.target(ctx, t)
}

// target restores one copy into a scratch sibling, judges it and removes it.
func (d Drill) target(ctx context.Context, t service.Task) (out service.Outcome, err error) {
	driller, err := service.As[service.Driller](t.Instance)
	if err != nil {
		return out, err
	}
	if err := driller.Sweep(ctx); err != nil {
		return out, fmt.Errorf("sweep what an earlier drill left: %w", err)
	}
	c, err := d.Repository.Copy(ctx, d.Point.ID, t.Step.Target)
	if err != nil {
		v, err := brokenCopy(fmt.Errorf("open the copy: %w", err))
		return service.Outcome{Verdict: v}, err
	}
	if err := d.room(c); err != nil {
		return out, err
	}
	started := time.Now() // RTO is measured by the machine's own clock
	scratch, err := driller.Scratch(ctx, c, t.Report)
	if err != nil {
		return out, fmt.Errorf("start a scratch sibling: %w", err)
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	v, err := d.compare(ctx, scratch, c, t)
	if err != nil || !cameBack(v) {
		return service.Outcome{Verdict: v}, err
	}
	r := result{Taken: c.Manifest().Taken, Took: time.Since(started), Compared: compared(c, v)}
	if service.Worst(v.Findings) != service.Critical { // what did not come back whole has no time to be back
		v.Set("rto_s", r.Took.Seconds())
		v.Set("rpo_s", d.Now().Sub(r.Taken).Seconds())
	}
	return service.Outcome{Verdict: v, Result: encode(r)}, nil
}

// room refuses a drill that would fill the scratch disk: the content alone needs
// as much as the copy is long, and a server's indexes about as much again.
func (d Drill) room(c service.Copy) error {
	need := 2 * c.Manifest().Counts["bytes"]
	free, err := d.Scratch()
	if err != nil {
		return fmt.Errorf("ask for free scratch space: %w", err)
	}
	if need > free {
		return &service.Fault{ID: "drill.no-room", Args: service.Args{"need": need, "free": free},
			Err: fmt.Errorf("scratch needs about %d bytes, %d are free: %w", need, free, service.ErrNoScratch)}
	}
	return nil
}

func (d Drill) compare(ctx context.Context, scratch service.Instance, c service.Copy, t service.Task) (service.Verdict, error) {
	restorer, err := service.As[service.Restorer](scratch)
	if err != nil {
		return service.Verdict{}, err
	}
	if err := restorer.Restore(ctx, c, service.Selection{}, t.Report); err != nil {
		return notRestorable(fmt.Errorf("restore into the scratch sibling: %w", err))
	}
	verifier, err := service.As[service.Verifier](scratch)
	if err != nil {
		return service.Verdict{}, err
	}
	v, err := verifier.Verify(ctx, c, t.Report)
	if err != nil {
		broken, err := brokenCopy(fmt.Errorf("compare with the manifest: %w", err))
		v.Merge(broken)
		return v, err
	}
	v.Merge(d.Inventory.Assert(ctx, scratch, t.Step.Target, "drill"))
	return v, d.list(ctx, scratch, t.Step.Target)
}

// brokenCopy makes a finding of stored bytes that cannot be authenticated. Any
// other error stays one.
func brokenCopy(err error) (service.Verdict, error) {
	if errors.Is(err, service.ErrDamaged) {
		return notRestorable(err)
	}
	return service.Verdict{}, err
}

// notRestorable tells a copy that does not restore, which is what a drill is there
// to find, from a drill that could not take place.
func notRestorable(err error) (service.Verdict, error) {
	for _, outside := range []error{context.Canceled, context.DeadlineExceeded, service.ErrNoScratch, service.ErrNoSpace, service.ErrNoTool} {
		if errors.Is(err, outside) {
			return service.Verdict{}, err
		}
	}
	var v service.Verdict
	v.Crit(notRestored, "", service.Args{"detail": err.Error()})
	return v, nil
}

const notRestored = "drill.not-restorable"

// cameBack reports whether there was something to compare, with the manifest and with
// other stores.
func cameBack(v service.Verdict) bool {
	return !slices.ContainsFunc(v.Findings, func(f service.Finding) bool { return f.ID == notRestored })
}

// compared are the totals that were found equal. A finding leaves them out: what
// differs was not shown to be equal.
func compared(c service.Copy, v service.Verdict) map[string]int64 {
	if service.Worst(v.Findings) != service.OK {
		return nil
	}
	return maps.Clone(c.Manifest().Counts)
}

// prove keeps the proof in the repository beside the point when every copy of it
// was drilled and nothing was found. Anything less proves nothing.
func (d Drill) prove(ctx context.Context, t service.Task) (service.Outcome, error) {
	proof, whole := d.measure(t.Earlier)
	if !whole {
		return service.Outcome{}, nil
	}
	kept := repository.Proof{RPO: proof.RPO, RTO: proof.RTO, Compared: proof.Compared}
	if err := d.Repository.MarkProven(ctx, d.Point.ID, d.Now(), kept); err != nil {
		return service.Outcome{}, fmt.Errorf("keep the proof of point %s: %w", d.Point.ID, err)
	}
	return service.Outcome{Result: encode(proof)}, nil
}

func (d Drill) measure(earlier map[string]service.Done) (journal.Proof, bool) {
	proof := journal.Proof{Compared: map[string]int64{}}
	for _, rule := range d.Rules {
		done := earlier[opReconcile+" "+rule.Name]
		if done.Failed || service.Worst(done.Outcome.Targets[rule.Rows.Target].Findings) == service.Critical {
			return proof, false
		}
	}
	for _, c := range d.Point.Targets {
		done, drilled := earlier[stepOf(c.Target)]
		var r result
		if !drilled || done.Failed || service.Worst(done.Outcome.Verdict.Findings) != service.OK || done.Decode(&r) != nil {
			return proof, false
		}
		proof.RTO += r.Took
		proof.RPO = max(proof.RPO, d.Now().Sub(r.Taken))
		for name, n := range r.Compared {
			proof.Compared[name] += n
		}
	}
	return proof, d.Point.Complete && len(d.Point.Targets) > 0
}

// Proof returns what the drill proved, or nil.
func Proof(done map[string]service.Done) *journal.Proof {
	var p journal.Proof
	if d := done[opProve]; len(d.Outcome.Result) == 0 || d.Decode(&p) != nil {
		return nil
	}
	return &p
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // our own value types always encode
	}
	return text
}
