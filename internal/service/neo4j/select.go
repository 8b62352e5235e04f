package neo4j

import (
	"context"
	"fmt"
	"path"
	"slices"

	"upkeep/internal/service"
)

// selects reports whether a label is among those that a selection names.
func selects(only, label string) bool {
	if only == label {
		return true
	}
	is, err := path.Match(only, label)
	return err == nil && is
}

func (w *writer) selected(labels []string) bool {
	return slices.ContainsFunc(labels, func(label string) bool { return selects(w.only, label) })
}

// replaceSome replaces the nodes of the selected labels and what leads from one of
// them to another. Constraints and indexes stay as they are.
func (w *writer) replaceSome(ctx context.Context) error {
	if err := w.standsAlone(ctx); err != nil {
		return err
	}
	labels, err := w.link.labels(ctx)
	if err != nil {
		return err
	}
	labels = slices.DeleteFunc(labels, func(label string) bool { return !selects(w.only, label) })
	for _, label := range labels {
		const leads = "MATCH (n:%s)--(m) WHERE none(label IN labels(m) WHERE label IN $labels) WITH 1 AS one LIMIT 1 RETURN count(one)"
		n, err := w.link.number(ctx, fmt.Sprintf(leads, quote(label)), map[string]any{"labels": labels})
		if err != nil {
			return err
		}
		if n > 0 {
			return w.connected("database")
		}
	}
	w.changed = true
	for _, label := range labels {
		if err := w.repeat(ctx, "MATCH (n:"+quote(label)+") WITH n LIMIT $n DETACH DELETE n RETURN count(*)"); err != nil {
			return fmt.Errorf("remove the nodes of %s: %w", label, err)
		}
	}
	return w.fill(ctx, w.selected)
}

// standsAlone looks into the copy: for nodes that are selected, and for
// relationships that lead from them to others.
func (w *writer) standsAlone(ctx context.Context) error {
	chosen, err := w.choose(ctx)
	if err != nil {
		return err
	}
	if chosen == 0 {
		return fmt.Errorf("the copy has no node with a label %s: %w", w.only, service.ErrNotFound)
	}
	for _, name := range w.from.relationships() {
		err := w.from.each(ctx, name, func(line []byte) error {
			r, err := recordOf(line)
			if err != nil {
				return err
			}
			_, start, err := w.nodes.get(r.Start)
			if err != nil {
				return err
			}
			if _, end, err := w.nodes.get(r.End); err != nil || end == start {
				return err
			}
			return w.connected("copy")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// choose marks the selected nodes; a new number replaces the mark.
func (w *writer) choose(ctx context.Context) (chosen int64, err error) {
	for _, name := range w.from.nodes() {
		err := w.from.each(ctx, name, func(line []byte) error {
			r, err := recordOf(line)
			if err != nil || !w.selected(r.Labels) {
				return err
			}
			chosen++
			return w.nodes.put(r.ID, hash{Lo: 1})
		})
		if err != nil {
			return 0, err
		}
	}
	return chosen, nil
}

func (w *writer) connected(where string) error {
	return &service.Fault{ID: "neo4j.selection-connected", Args: service.Args{"only": w.only, "where": where},
		Err: fmt.Errorf("nodes of %s have relationships to others in the %s: %w", w.only, where, service.ErrUnsupported)}
}
