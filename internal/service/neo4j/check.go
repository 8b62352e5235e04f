package neo4j

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"upkeep/internal/service"
)

// Limits of labels and types that are counted one by one; each is a question.
const (
	listed = 200
	every  = math.MaxInt
)

// Check asks for the state of the declared database, its schema and its counts.
// No question of it reads a node.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	err = in.with(ctx, func(l *link) error { return in.check(ctx, l, &v) })
	return v, errors.Join(err, in.judgeGuard(ctx, err != nil, &v))
}

func (in *Instance) check(ctx context.Context, l *link, v *service.Verdict) error {
	about, err := l.server(ctx)
	if err != nil {
		return err
	}
	v.Set("version", about.version)
	v.Set("edition", about.edition)
	db, err := l.database(ctx)
	if errors.Is(err, service.ErrNotFound) {
		v.Crit("database-missing", l.name, service.Args{"database": l.name})
		return nil
	}
	if err != nil {
		return err
	}
	v.Set("store", db.store)
	v.Set("status", db.status)
	if !db.online() {
		v.Crit("database-offline", db.name, service.Args{"database": db.name, "status": db.status, "reason": db.statusMsg})
		return nil // nothing else can be told
	}
	if !db.writable() {
		v.Crit("read-only", db.name, service.Args{"database": db.name})
	}
	return errors.Join(in.judgeSchema(ctx, l, v), counts(ctx, l, v))
}

func (in *Instance) judgeSchema(ctx context.Context, l *link, v *service.Verdict) error {
	s, err := l.schema(ctx)
	if err != nil {
		return err
	}
	constraints, indexes := s.count()
	v.Set("constraints", constraints)
	v.Set("indexes", indexes)
	for _, r := range s {
		judgeState(v, r)
	}
	for _, u := range in.cfg.Constraints {
		judgeUnique(v, s, u)
	}
	for _, want := range in.cfg.Indexes {
		if _, there := s.ranged(want.Label, want.Properties); !there {
			v.Warn("index-missing", pattern(want.Label, want.Properties), service.Args{"pattern": pattern(want.Label, want.Properties)})
		}
	}
	return nil
}

func judgeState(v *service.Verdict, r rule) {
	switch r.state {
	case "FAILED":
		v.Crit("index-failed", r.Name, service.Args{"index": r.Name, "reason": firstLine(r.failure), "drop": pasted(drop(r))})
	case "POPULATING":
		v.Warn("index-not-online", r.Name, service.Args{"index": r.Name, "share": r.percent / 100})
	}
}

func judgeUnique(v *service.Verdict, s schema, u Unique) {
	what := pattern(u.Label, u.Properties)
	if _, there := s.unique(u.Label, u.Properties); there {
		return
	}
	if index, blocks := s.inTheWay(u.Label, u.Properties); blocks {
		v.Warn("index-blocks-constraint", what, service.Args{"pattern": what, "index": index.Name, "drop": pasted(drop(index))})
		return
	}
	v.Warn("constraint-missing", what, service.Args{"pattern": what})
}

// drop is the statement that removes a rule. An index of a constraint goes with it.
func drop(r rule) string {
	switch {
	case r.owner != "":
		return "DROP CONSTRAINT " + quote(r.owner) + " IF EXISTS"
	case r.Constraint:
		return "DROP CONSTRAINT " + quote(r.Name) + " IF EXISTS"
	}
	return "DROP INDEX " + quote(r.Name) + " IF EXISTS"
}

// pasted quotes a statement for somebody who pastes it into a shell: between double
// quotes the backticks of Cypher would run programs.
func pasted(statement string) string {
	return "'" + strings.ReplaceAll(statement, "'", `'\''`) + "'"
}

// pattern writes label and properties as Neo4j's messages do.
func pattern(label string, properties []string) string {
	return fmt.Sprintf("(:%s {%s})", label, strings.Join(properties, ", "))
}

func firstLine(said string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	return line
}

// counts are facts, from the count store.
func counts(ctx context.Context, l *link, v *service.Verdict) error {
	for fact, cypher := range map[string]string{"nodes": countNodes, "relationships": countRelationships} {
		n, err := l.number(ctx, cypher, nil)
		if err != nil {
			return fmt.Errorf("count %s: %w", fact, err)
		}
		v.Set(fact, n)
	}
	labels, err := l.tally(ctx, l.labels, countLabel, listed)
	if err != nil {
		return fmt.Errorf("count labels: %w", err)
	}
	v.Set("labels", labels)
	types, err := l.tally(ctx, l.types, countType, listed)
	if err != nil {
		return fmt.Errorf("count relationship types: %w", err)
	}
	v.Set("types", types)
	return nil
}

// tally counts by label or type. Names without anything are left out: the server
// never forgets a name that was used once.
func (l *link) tally(ctx context.Context, names func(context.Context) ([]string, error), count func(string) string, limit int) (map[string]int64, error) {
	all, err := names(ctx)
	if err != nil {
		return nil, err
	}
	by := map[string]int64{}
	for _, name := range all[:min(len(all), limit)] {
		n, err := l.number(ctx, count(name), nil)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			by[name] = n
		}
	}
	return by, nil
}
