package neo4j

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"upkeep/internal/service"
)

// Restore empties the database and fills it from the copy, in transactions of a
// bounded size: in between, clients see a part of the graph. Called again it begins
// anew. A selection names a label; it is honoured where no relationship leads from
// its nodes to others, neither in the copy nor in the database.
//
// A dump is loaded while the server stands still.
func (in *Instance) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	if isDump(c) {
		return in.restoreDump(ctx, c, sel, r)
	}
	from, err := openStored(c, r)
	if err != nil {
		return err
	}
	if err := from.prove(ctx); err != nil {
		return err
	}
	nodes, err := newTable(in.env)
	if err != nil {
		return err
	}
	err = in.with(ctx, func(l *link) error {
		w := &writer{link: l, from: from, nodes: nodes, only: sel.Only}
		return w.restore(ctx)
	})
	return errors.Join(err, nodes.close())
}

// writer puts one copy into one database.
type writer struct {
	link  *link
	from  *stored
	nodes *table // the new number of each node, plus one, by its number in the copy
	only  string

	prefix   string // of new element IDs
	restored int64
	changed  bool
}

func (w *writer) restore(ctx context.Context) error {
	db, err := w.link.database(ctx)
	if err != nil {
		return err
	}
	if !db.online() || !db.writable() {
		return &service.Fault{ID: "neo4j.target-read-only", Args: service.Args{"database": db.name, "status": db.status},
			Err: fmt.Errorf("database %s takes no writes: %w", db.name, service.ErrRefused)}
	}
	rules, err := w.from.rules(ctx)
	if err != nil {
		return err
	}
	if w.only != "" {
		err = w.replaceSome(ctx)
	} else {
		err = w.replaceAll(ctx, rules)
	}
	if err != nil && w.changed {
		return &service.Fault{ID: "neo4j.restore-broken-off", Args: service.Args{"database": db.name, "restored": w.restored}, Err: err}
	}
	return err
}

func (w *writer) replaceAll(ctx context.Context, rules schema) error {
	if err := w.dropOthers(ctx, rules); err != nil {
		return err
	}
	if err := w.empty(ctx); err != nil {
		return err
	}
	if err := w.fill(ctx, func([]string) bool { return true }); err != nil {
		return err
	}
	return w.createMissing(ctx, rules)
}

// Limits of one transaction of a clean-out: the server holds it in its heap.
const emptyStep = 10000

func (w *writer) empty(ctx context.Context) error {
	w.changed = true
	for _, step := range []string{
		"MATCH ()-[r]->() WITH r LIMIT $n DELETE r RETURN count(*)",
		"MATCH (n) WITH n LIMIT $n DELETE n RETURN count(*)",
	} {
		if err := w.repeat(ctx, step); err != nil {
			return fmt.Errorf("empty the database: %w", err)
		}
	}
	return nil
}

func (w *writer) repeat(ctx context.Context, step string) error {
	for {
		n, err := w.link.change(ctx, step, map[string]any{"n": emptyStep})
		if err != nil || n == 0 {
			return err
		}
	}
}

// fill writes the nodes that are wanted by their labels, then the relationships
// between them.
func (w *writer) fill(ctx context.Context, wanted func(labels []string) bool) error {
	for _, name := range w.from.nodes() {
		b := &batch{most: batchRecords, flush: func(records []record) error { return w.createNodes(ctx, records) }}
		err := w.from.each(ctx, name, func(line []byte) error {
			r, err := recordOf(line)
			if err != nil || !wanted(r.Labels) {
				return err
			}
			return b.add(r, len(line))
		})
		if err = errors.Join(err, b.end(err)); err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
	}
	for _, name := range w.from.relationships() {
		if err := w.fillRelationships(ctx, name); err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
	}
	return nil
}

// fillRelationships leaves out those of nodes that were not selected. In a whole
// restore there are none: that is damage.
func (w *writer) fillRelationships(ctx context.Context, name string) error {
	b := &batch{most: batchRecords, flush: func(records []record) error { return w.createRelationships(ctx, records) }}
	err := w.from.each(ctx, name, func(line []byte) error {
		r, err := recordOf(line)
		if err != nil {
			return err
		}
		there, err := w.renumber(&r)
		if err != nil {
			return err
		}
		if !there && w.only == "" {
			return fmt.Errorf("the copy has a relationship from %d to %d and not both nodes: %w", r.Start, r.End, service.ErrDamaged)
		}
		if !there {
			return nil
		}
		return b.add(r, len(line))
	})
	return errors.Join(err, b.end(err))
}

// renumber replaces the ends by their new numbers.
func (w *writer) renumber(r *record) (bool, error) {
	for _, end := range []*int64{&r.Start, &r.End} {
		value, there, err := w.nodes.get(*end)
		if err != nil || !there {
			return false, err
		}
		*end = int64(value.Lo) - 1
	}
	return true, nil
}

// dropOthers removes the rules that the copy has not.
func (w *writer) dropOthers(ctx context.Context, rules schema) error {
	present, err := w.link.schema(ctx)
	if err != nil {
		return err
	}
	for _, r := range present.own() {
		if rules.has(r) {
			continue
		}
		w.changed = true
		if err := w.link.command(ctx, drop(r)); err != nil {
			return fmt.Errorf("drop %s: %w", r.Name, err)
		}
	}
	return nil
}

func (s schema) has(r rule) bool {
	return slices.ContainsFunc(s, func(o rule) bool { return o.definition() == r.definition() })
}

// createMissing makes the copy's rules, and waits until the indexes are filled.
func (w *writer) createMissing(ctx context.Context, rules schema) error {
	present, err := w.link.schema(ctx)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if present.has(r) {
			continue
		}
		if err := w.link.command(ctx, r.Create); err != nil {
			return fmt.Errorf("make %s: %w", r.definition(), err)
		}
	}
	return w.link.command(ctx, awaitIndexes)
}

// awaitIndexes takes seconds; the call's own deadline comes first.
const awaitIndexes = "CALL db.awaitIndexes(86400)"
