// Package restore puts a copy back. It plans first: save what is there, replace
// it, compare. The plan is approved elsewhere and done here.
package restore

import (
	"context"
	"encoding/json"
	"fmt"

	"upkeep/internal/inventory"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// Restore is one restore of chosen targets from one point.
type Restore struct {
	Repository *repository.Repository
	Inventory  *inventory.Inventory
	Point      repository.Point
	Targets    []inventory.Target
	Only       string   // one file, table or prefix; empty = everything
	Discard    []string // targets whose present content is not saved: it cannot be read
}

// What its steps do. Saving is planned and done by whoever plans the backup.
const (
	opPut     = "put-back"
	opCompare = "compare"
)

type args struct {
	Point string `json:"point"`
	Only  string `json:"only,omitempty"`
}

// Steps lists, in dependency order, the replacement of every target and its
// comparison with the copy. Each is bound to what answers at the address now.
func (r Restore) Steps(ctx context.Context) ([]service.Step, error) {
	var steps []service.Step
	for _, t := range r.Targets {
		seen, err := r.seen(ctx, t)
		if err != nil {
			return nil, err
		}
		steps = append(steps, r.step(t, opPut, service.Destructive, seen))
		if r.Only == "" {
			steps = append(steps, r.step(t, opCompare, service.ReadOnly, ""))
		}
	}
	return steps, nil
}

func (r Restore) step(t inventory.Target, op string, risk service.Risk, seen string) service.Step {
	text, err := json.Marshal(args{Point: r.Point.ID, Only: r.Only})
	if err != nil {
		panic(fmt.Sprintf("encode restore arguments: %v", err)) // two strings always encode
	}
	about := service.Args{"target": t.Name, "point": r.Point.ID, "only": r.Only, "stops": ""}
	if t.Stops != (service.Stops{}) {
		about["stops"] = t.RunsIn.Target + "/" + t.RunsIn.Unit
	}
	return service.Step{ID: op + " " + t.Name, Target: t.Name, Op: op, Args: text, Seen: seen, Risk: risk,
		Title: service.Message{ID: "restore." + op, Args: about}}
}

// seen asks the target who it is. One that cannot be asked and is to be replaced
// unsaved is bound to nothing.
func (r Restore) seen(ctx context.Context, t inventory.Target) (string, error) {
	in, err := t.Open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	identifier, err := service.As[service.Identifier](in)
	if err != nil {
		return "", err
	}
	seen, err := identifier.Identity(ctx)
	if err != nil && r.discards(t.Name) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask %s who it is: %w", t.Name, err)
	}
	return seen, nil
}

func (r Restore) discards(target string) bool {
	for _, d := range r.Discard {
		if d == target {
			return true
		}
	}
	return false
}

// Does reports whether a step is one of its own.
func (Restore) Does(s service.Step) bool { return s.Op == opPut || s.Op == opCompare }

// Do does one step.
func (r Restore) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	var a args
	if err := json.Unmarshal(t.Step.Args, &a); err != nil {
		return service.Outcome{}, fmt.Errorf("read the arguments of step %s: %w", t.Step.ID, err)
	}
	c, err := r.Repository.Copy(ctx, a.Point, t.Step.Target)
	if err != nil {
		return service.Outcome{}, fmt.Errorf("open the copy: %w", err)
	}
	if t.Step.Op == opCompare {
		return r.compare(ctx, t, c)
	}
	restorer, err := service.As[service.Restorer](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	if sweeper, ok := t.Instance.(service.Driller); ok {
		if err := sweeper.Sweep(ctx); err != nil {
			return service.Outcome{}, fmt.Errorf("sweep what a killed restore left: %w", err)
		}
	}
	return service.Outcome{}, restorer.Restore(ctx, c, service.Selection{Only: a.Only}, t.Report)
}

func (r Restore) compare(ctx context.Context, t service.Task, c service.Copy) (service.Outcome, error) {
	verifier, err := service.As[service.Verifier](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	v, err := verifier.Verify(ctx, c, t.Report)
	if err != nil {
		return service.Outcome{Verdict: v}, fmt.Errorf("compare with the copy: %w", err)
	}
	v.Merge(r.Inventory.Assert(ctx, t.Instance, t.Step.Target, "restore"))
	return service.Outcome{Verdict: v}, nil
}
