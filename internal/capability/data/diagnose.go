// Package data is the care of stores of data files: diagnosis in full, and questions in
// SQL. What is in a store and what must hold is the kinds' own business.
package data

import (
	"context"
	_ "embed"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "data".
func Words() []byte { return text }

// Diagnose judges everything that chosen targets hold, one after the other: each may
// take all memory that it is allowed.
type Diagnose struct{ Targets []inventory.Target }

// Steps lists one step per target.
func (d Diagnose) Steps() (steps []service.Step) {
	for _, t := range d.Targets {
		steps = append(steps, service.Step{ID: "diagnose " + t.Name, Target: t.Name, Op: "diagnose", Risk: service.ReadOnly,
			Title: service.Message{ID: "data.diagnose", Args: service.Args{"target": t.Name}}})
	}
	return steps
}

// Do diagnoses one target.
func (d Diagnose) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	diagnoser, err := service.As[service.Diagnoser](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	v, err := diagnoser.Diagnose(ctx, t.Report)
	return service.Outcome{Verdict: v}, err
}
