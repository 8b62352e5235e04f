package inventory

import (
	"context"
	"slices"

	"upkeep/internal/config"
	"upkeep/internal/service"
)

// Assert evaluates the assertions declared for a target in one phase ("check",
// "drill", "restore") on an instance, which may be its scratch sibling. A
// statement that cannot be answered is an unknown finding, never ok.
func (inv *Inventory) Assert(ctx context.Context, in service.Instance, target, phase string) service.Verdict {
	var v service.Verdict
	for _, a := range inv.Config.Assertions {
		if a.Target != target || !slices.Contains(a.In, phase) {
			continue
		}
		got, err := firstValue(ctx, in, a.Query)
		switch {
		case err != nil:
			v.Unsure("assertion.unanswered", a.Name, service.Args{"name": a.Name, "error": err.Error(), "fix": a.Fix})
		case !a.Expect.Holds(got):
			v.Findings = append(v.Findings, broken(a, got))
		}
	}
	return v
}

func broken(a config.Assertion, got any) service.Finding {
	return service.Finding{ID: "assertion.broken", Severity: a.Severity, Subject: a.Name,
		Args: service.Args{"name": a.Name, "got": got, "expect": a.Expect.String(), "fix": a.Fix}}
}

// firstValue returns the first column of the first row, or nil when there is none.
func firstValue(ctx context.Context, in service.Instance, query string) (any, error) {
	queryer, err := service.As[service.Queryer](in)
	if err != nil {
		return nil, err
	}
	for row, err := range queryer.Query(ctx, query) {
		if err != nil {
			return nil, err
		}
		if len(row.Values) > 0 {
			return row.Values[0], nil
		}
	}
	return nil, nil
}
