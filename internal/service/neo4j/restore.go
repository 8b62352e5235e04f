package neo4j

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

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

	restored atomic.Int64 // records
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
		return &service.Fault{ID: "neo4j.restore-broken-off", Args: service.Args{"database": db.name, "restored": w.restored.Load()}, Err: err}
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
	keep := func(r *record) (bool, error) { return wanted(r.Labels), nil }
	for _, name := range w.from.nodes() {
		if err := w.fillFrom(ctx, name, keep, w.createNodes); err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
	}
	for _, name := range w.from.relationships() {
		if err := w.fillFrom(ctx, name, w.between, w.createRelationships); err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
	}
	return nil
}

// writersAtOnce is how many transactions the server works on while the next one is
// being prepared. Those with relationships share nodes: the server locks them in order
// of their numbers, and tells a client to try again where that is not enough.
const writersAtOnce = 2

// fillFrom writes those records of one part that keep approves of.
func (w *writer) fillFrom(ctx context.Context, name string,
	keep func(*record) (bool, error), write func(context.Context, []record) error) error {
	writing, ctx := errgroup.WithContext(ctx)
	writing.SetLimit(writersAtOnce)
	b := &batch{most: batchRecords, flush: func(records []record) error {
		writing.Go(func() error { return write(ctx, records) })
		return nil
	}}
	err := w.from.each(ctx, name, func(line []byte) error {
		r, err := recordOf(line)
		if err != nil {
			return err
		}
		if kept, err := keep(&r); err != nil || !kept {
			return err
		}
		return b.add(r, len(line))
	})
	err = errors.Join(err, b.end(err))
	if cause := writing.Wait(); cause != nil {
		return cause // reading ended because of it
	}
	return err
}

// between leaves out relationships of nodes that were not selected, and renumbers the
// ends of others. In a whole restore there are none: that is damage.
func (w *writer) between(r *record) (bool, error) {
	there, err := w.renumber(r)
	if err == nil && !there && w.only == "" {
		err = fmt.Errorf("the copy has a relationship from %d to %d and not both nodes: %w", r.Start, r.End, service.ErrDamaged)
	}
	return there, err
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
