package neo4j

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/service"
)

// What steps do.
const (
	opConstraint = "constraint"
	opIndex      = "index"
	opOrphans    = "orphans"
	opPutBack    = "put-back"
	opDrop       = "drop"
)

// Maintenance lists declared constraints and indexes that are missing and, in pieces
// of a bounded size, the nodes that rules under orphans: let go. A constraint that
// an index keeps from being made is no step: Check explains it.
func (in *Instance) Maintenance(ctx context.Context) (steps []service.Step, err error) {
	err = in.with(ctx, func(l *link) error {
		s, err := l.schema(ctx)
		if err != nil {
			return err
		}
		steps = in.schemaSteps(s)
		for i, rule := range in.cfg.Orphans {
			found, err := in.orphanSteps(ctx, l, i, rule)
			if err != nil {
				return fmt.Errorf("look for orphans of %s: %w", rule.Label, err)
			}
			steps = append(steps, found...)
		}
		return nil
	})
	return steps, err
}

func (in *Instance) schemaSteps(s schema) (steps []service.Step) {
	for _, u := range in.cfg.Constraints {
		_, there := s.unique(u.Label, u.Properties)
		if _, blocked := s.inTheWay(u.Label, u.Properties); !there && !blocked {
			steps = append(steps, in.step(opConstraint, pattern(u.Label, u.Properties), u))
		}
	}
	for _, r := range in.cfg.Indexes {
		if _, there := s.ranged(r.Label, r.Properties); !there {
			steps = append(steps, in.step(opIndex, pattern(r.Label, r.Properties), r))
		}
	}
	return steps
}

func (in *Instance) step(op, what string, args any) service.Step {
	return service.Step{ID: op + " " + what, Target: in.env.Target, Op: op, Args: encoded(args), Risk: service.Reversible,
		Title: service.Message{ID: "neo4j.step-" + op, Args: service.Args{"pattern": what}}}
}

// encoded never fails: arguments are plain values.
func encoded(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", value, err))
	}
	return text
}

// Do does a step of Maintenance or of Undo.
func (in *Instance) Do(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	err = in.with(ctx, func(l *link) error {
		out, err = in.do(ctx, l, s)
		return err
	})
	return out, err
}

func (in *Instance) do(ctx context.Context, l *link, s service.Step) (service.Outcome, error) {
	switch s.Op {
	case opConstraint:
		var u Unique
		if err := json.Unmarshal(s.Args, &u); err != nil {
			return service.Outcome{}, err
		}
		return l.ensureUnique(ctx, u)
	case opIndex:
		var r Range
		if err := json.Unmarshal(s.Args, &r); err != nil {
			return service.Outcome{}, err
		}
		return l.ensureRange(ctx, r)
	case opDrop:
		var m madeRule
		if err := json.Unmarshal(s.Args, &m); err != nil {
			return service.Outcome{}, err
		}
		return service.Outcome{}, l.command(ctx, m.Drop)
	case opOrphans:
		return in.deleteOrphans(ctx, l, s)
	case opPutBack:
		return l.putBack(ctx, s)
	}
	return service.Outcome{}, fmt.Errorf("step %s: %w", s.Op, service.ErrUnsupported)
}

// Undo drops what was made and puts back what was deleted.
func (in *Instance) Undo(_ context.Context, s service.Step, done json.RawMessage) ([]service.Step, error) {
	switch s.Op {
	case opConstraint, opIndex:
		var m madeRule
		if err := json.Unmarshal(done, &m); err != nil {
			return nil, fmt.Errorf("read what %s gave: %w", s.ID, err)
		}
		if m.Drop == "" {
			return nil, nil // it was there before
		}
		return []service.Step{in.undo(opDrop, s, done, service.Args{"statement": m.Drop})}, nil
	case opOrphans:
		var d deleted
		if err := json.Unmarshal(done, &d); err != nil {
			return nil, fmt.Errorf("read what %s gave: %w", s.ID, err)
		}
		if len(d.Nodes) == 0 {
			return nil, nil
		}
		return []service.Step{in.undo(opPutBack, s, done, service.Args{"nodes": len(d.Nodes), "label": d.Label})}, nil
	}
	return nil, fmt.Errorf("undo of %s: %w", s.Op, service.ErrUnsupported)
}

func (in *Instance) undo(op string, s service.Step, args json.RawMessage, words service.Args) service.Step {
	return service.Step{ID: op + " after " + s.ID, Target: in.env.Target, Op: op, Args: args, Risk: service.Reversible,
		Title: service.Message{ID: "neo4j.step-" + op, Args: words}}
}

// madeRule is the result of a step that makes a constraint or an index.
type madeRule struct {
	Drop string `json:"drop,omitempty"` // the statement that takes it back; empty where nothing was made
}

// ensureUnique makes a constraint unless an equivalent one is there. What keeps it
// from being made is a finding.
func (l *link) ensureUnique(ctx context.Context, u Unique) (service.Outcome, error) {
	s, err := l.schema(ctx)
	if err != nil {
		return service.Outcome{}, err
	}
	what := pattern(u.Label, u.Properties)
	if _, there := s.unique(u.Label, u.Properties); there {
		return service.Outcome{Result: encoded(madeRule{})}, nil
	}
	out := service.Outcome{Result: encoded(madeRule{})}
	if _, blocks := s.inTheWay(u.Label, u.Properties); blocks {
		judgeUnique(&out.Verdict, s, u)
		return out, nil
	}
	err = l.command(ctx, "CREATE CONSTRAINT "+named(u.Name)+"FOR (n:"+quote(u.Label)+") REQUIRE ("+propertyList(u.Properties)+") IS UNIQUE")
	if err != nil {
		twice, looking := l.storedTwice(ctx, u)
		if looking != nil || !twice {
			return out, errors.Join(fmt.Errorf("make a constraint on %s: %w", what, err), looking)
		}
		out.Verdict.Warn("not-unique", what, service.Args{"pattern": what, "query": pasted(duplicates(u))})
		return out, nil
	}
	return l.made(ctx, func(s schema) (rule, bool) { return s.unique(u.Label, u.Properties) })
}

func (l *link) ensureRange(ctx context.Context, r Range) (service.Outcome, error) {
	s, err := l.schema(ctx)
	if err != nil {
		return service.Outcome{}, err
	}
	if _, there := s.ranged(r.Label, r.Properties); there {
		return service.Outcome{Result: encoded(madeRule{})}, nil
	}
	err = l.command(ctx, "CREATE INDEX "+named(r.Name)+"FOR (n:"+quote(r.Label)+") ON ("+propertyList(r.Properties)+")")
	if err == nil {
		err = l.command(ctx, awaitIndexes)
	}
	if err != nil {
		return service.Outcome{}, fmt.Errorf("make an index on %s: %w", pattern(r.Label, r.Properties), err)
	}
	return l.made(ctx, func(s schema) (rule, bool) { return s.ranged(r.Label, r.Properties) })
}

// made looks at what is there now: success is shown, not claimed.
func (l *link) made(ctx context.Context, find func(schema) (rule, bool)) (service.Outcome, error) {
	s, err := l.schema(ctx)
	if err != nil {
		return service.Outcome{}, err
	}
	r, there := find(s)
	if !there {
		return service.Outcome{}, errors.New("the server made it, and it is not there")
	}
	return service.Outcome{Result: encoded(madeRule{Drop: drop(r)})}, nil
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return quote(name) + " "
}

// propertyList writes properties of n, divided by commas.
func propertyList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "n." + quote(name)
	}
	return strings.Join(quoted, ", ")
}

// storedTwice tells data that forbids a constraint from other reasons, for which the
// server has the same code.
func (l *link) storedTwice(ctx context.Context, u Unique) (twice bool, err error) {
	err = l.read(ctx, duplicates(u), nil, func(*driver.Record) error {
		twice = true
		return nil
	})
	return twice, err
}

// duplicates is the query that shows what is stored twice.
func duplicates(u Unique) string {
	return "MATCH (n:" + quote(u.Label) + ") WITH [" + propertyList(u.Properties) + "] AS value, count(*) AS times WHERE times > 1 AND none(one IN value WHERE one IS NULL) RETURN value, times LIMIT 20"
}
