package suite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"upkeep/bench/measure"
	"upkeep/bench/tool"
)

// DrillStack is the proof of a copy of the whole example system.
const DrillStack = "drill of the example system"

// Drill measures what the proof of the example system takes, and what it says about
// the way back.
type Drill struct {
	Rows   int // in PostgreSQL, besides those that the application makes
	Rounds int
}

// rtoOf is the row of one store's way back.
func rtoOf(target string) string { return "way back of " + target }

// wayBack is the row of the way back of everything.
const wayBack = "way back of all stores"

// Run fills r.
func (d Drill) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	c, end, err := startExample(ctx, d.Rows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	u.Adopt(c.Dir)
	if _, err := u.Backup(ctx); err != nil {
		return err
	}
	for range d.Rounds {
		settle()
		proof, cost, err := u.Prove(ctx)
		if err := r.cost(DrillStack, u.Name(), cost, err); err != nil {
			return err
		}
		d.record(r, u.Name(), proof)
	}
	r.Note("drill", fmt.Sprintf("the example system seeded with %d rows: five stores and two sets of files, each restored into a scratch server or directory and compared", d.Rows))
	r.Note("drill", "the way back is what a restore and its comparison took (RTO), as upkeep drill --json tells")
	return nil
}

func (d Drill) record(r *Result, name string, p tool.Proof) {
	for _, t := range p.Targets {
		if t.Facts.RTO > 0 {
			r.store(t.Target)
			r.Fail(r.cost(rtoOf(t.Target), name, measure.Cost{Wall: seconds(t.Facts.RTO)}, nil))
		}
	}
	r.Fail(r.cost(wayBack, name, measure.Cost{Wall: seconds(p.Proof.RTO)}, nil))
}

// store remembers the name of a store for the rows.
func (r *Result) store(name string) {
	if !slices.Contains(r.stores, name) {
		r.stores = append(r.stores, name)
	}
}
