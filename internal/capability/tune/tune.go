// Package tune asks targets how they would be set better. It changes nothing: what follows
// from which measurement is the kinds' own business, applying it a person's.
package tune

import (
	"context"
	_ "embed"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "tune".
func Words() []byte { return text }

// Tune is advice about chosen targets.
type Tune struct{ Targets []inventory.Target }

// Steps lists one step per target.
func (a Tune) Steps() (steps []service.Step) {
	for _, t := range a.Targets {
		steps = append(steps, service.Step{ID: "tune " + t.Name, Target: t.Name, Op: "tune", Risk: service.ReadOnly,
			Title: service.Message{ID: "tune.target", Args: service.Args{"target": t.Name}}})
	}
	return steps
}

// Do asks one target. How many settings were looked at is a fact: none is no praise.
func (a Tune) Do(ctx context.Context, t service.Task) (out service.Outcome, err error) {
	advisor, err := service.As[service.Advisor](t.Instance)
	if err != nil {
		return out, err
	}
	advice, err := advisor.Advise(ctx)
	for _, one := range advice {
		out.Verdict.Findings = append(out.Verdict.Findings, one.Finding())
	}
	out.Verdict.Set("settings", len(advice))
	return out, err
}
