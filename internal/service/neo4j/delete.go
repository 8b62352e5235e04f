package neo4j

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"
	"github.com/zeebo/xxh3"

	"upkeep/internal/service"
)

// deleted is the result of a step that deletes: all that Undo needs.
type deleted struct {
	Step  string    `json:"step"` // digest of its arguments
	Label string    `json:"label"`
	Nodes []removed `json:"nodes"`
}

// removed is one node that was deleted.
type removed struct {
	Element string          `json:"element"`
	Node    json.RawMessage `json:"node"` // labels and properties, as in a copy
}

// trash is the key of State under which deleted nodes lie from before the commit
// until the engine has the result. One step runs at a time, so one place is enough.
const trash = "neo4j.trash"

// deleteOrphans looks at each node again, keeps what it deletes, and only then
// commits. A step that was cut off behind its commit finds in State what it deleted.
func (in *Instance) deleteOrphans(ctx context.Context, l *link, s service.Step) (out service.Outcome, err error) {
	var a orphansOf
	if err := json.Unmarshal(s.Args, &a); err != nil {
		return out, err
	}
	o, err := in.allowed(a)
	if err != nil {
		return out, err
	}
	kept, err := in.recall(ctx, l, deleted{Step: fmt.Sprintf("%x", xxh3.Hash128(s.Args).Bytes()), Label: o.Label})
	if err != nil {
		return out, err
	}
	still, err := in.orphans(ctx, l, o, a.Nodes)
	if err != nil {
		return out, err
	}
	if len(still) > 0 {
		if err := in.remove(ctx, l, still, &kept); err != nil {
			return out, err
		}
	}
	out.Verdict.Set("deleted", len(kept.Nodes))
	out.Verdict.Set("spared", len(a.Nodes)-len(kept.Nodes))
	out.Result = encoded(kept)
	return out, nil
}

// allowed returns the rule of a step if it is still declared so and its cap admits
// the plan as a whole.
func (in *Instance) allowed(a orphansOf) (Orphan, error) {
	if a.Rule >= len(in.cfg.Orphans) || in.cfg.Orphans[a.Rule].declared() != a.Declared {
		return Orphan{}, fmt.Errorf("the rule number %d under orphans: was changed: %w", a.Rule+1, service.ErrStale)
	}
	o := in.cfg.Orphans[a.Rule]
	limit := o.AtMost.of(a.Of)
	if a.Total <= limit && len(a.Nodes) > 0 {
		return o, nil
	}
	return Orphan{}, &service.Fault{ID: "neo4j.too-many-orphans",
		Args: service.Args{"label": o.Label, "orphans": a.Total, "nodes": a.Of, "limit": limit},
		Err:  fmt.Errorf("%d of %d nodes of %s would go, at most %d may: %w", a.Total, a.Of, o.Label, limit, service.ErrRefused)}
}

// recall takes what an earlier run of this very step has deleted: what State keeps
// of it, without the nodes that are there because that run did not commit.
func (in *Instance) recall(ctx context.Context, l *link, kept deleted) (deleted, error) {
	text, err := in.env.State.Get(ctx, trash)
	if err != nil || text == "" {
		return kept, err
	}
	var earlier deleted
	if err := json.Unmarshal([]byte(text), &earlier); err != nil {
		return kept, fmt.Errorf("read what was deleted: %w", err)
	}
	if earlier.Step != kept.Step {
		return kept, nil
	}
	present, err := l.contents(ctx, earlier.Nodes)
	if err != nil {
		return kept, err
	}
	for _, n := range earlier.Nodes {
		_, text, err := n.read()
		if err != nil {
			return kept, err
		}
		if present[n.Element] != string(text) {
			kept.Nodes = append(kept.Nodes, n)
		}
	}
	return kept, nil
}

// read returns the node, and its text as this package writes it: what keeps results
// may write the same JSON in another way.
func (n removed) read() (record, []byte, error) {
	r, err := recordOf(n.Node)
	if err != nil {
		return r, nil, err
	}
	text, err := appendNode(nil, dbtype.Node{Labels: r.Labels, Props: r.Properties})
	return r, text, err
}

// contents reads those of the nodes that are there, by element ID.
func (l *link) contents(ctx context.Context, nodes []removed) (map[string]string, error) {
	ids := make([]any, len(nodes))
	for i, n := range nodes {
		ids[i] = n.Element
	}
	present := map[string]string{}
	err := l.read(ctx, "MATCH (n) WHERE elementId(n) IN $ids RETURN n", map[string]any{"ids": ids}, func(r *driver.Record) error {
		n, ok := r.Values[0].(dbtype.Node)
		if !ok {
			return fmt.Errorf("%T instead of a node", r.Values[0])
		}
		text, err := appendNode(nil, n)
		present[n.ElementId] = string(text)
		return err
	})
	return present, err
}

const removeNodes = "MATCH (n) WHERE elementId(n) IN $nodes AND NOT (n)--() WITH n, elementId(n) AS element, labels(n) AS labels, " +
	"properties(n) AS properties DELETE n RETURN element, labels, properties"

// remove deletes nodes that still have no relationship; one that gets one meanwhile
// makes the server refuse. There is one attempt: after a commit of unknown outcome a
// second one would find nothing to keep.
func (in *Instance) remove(ctx context.Context, l *link, elements []string, kept *deleted) (err error) {
	s := l.session(ctx, l.name, driver.AccessModeWrite)
	defer func() { err = errors.Join(err, l.end(ctx, s)) }()
	tx, err := s.BeginTransaction(ctx)
	if err != nil {
		return l.fault(ctx, "delete orphans", err)
	}
	defer func() { _ = tx.Close(ctx) }() // rolls back what was not committed
	result, err := tx.Run(ctx, removeNodes, map[string]any{"nodes": elements})
	if err != nil {
		return l.fault(ctx, "delete orphans", err)
	}
	for result.Next(ctx) {
		values := result.Record().Values
		element, _ := values[0].(string)
		props, _ := values[2].(map[string]any)
		text, err := appendNode(nil, dbtype.Node{Labels: texts(values[1]), Props: props})
		if err != nil {
			return err
		}
		kept.Nodes = append(kept.Nodes, removed{element, text})
	}
	if err := result.Err(); err != nil {
		return l.fault(ctx, "delete orphans", err)
	}
	if err := in.env.State.Set(ctx, trash, string(encoded(kept))); err != nil {
		return fmt.Errorf("keep what will be deleted: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return l.fault(ctx, "delete orphans", err)
	}
	return nil
}

// putBack creates the nodes that are not there. It compares content, so a repeated
// call adds nothing.
func (l *link) putBack(ctx context.Context, s service.Step) (out service.Outcome, err error) {
	var d deleted
	if err := json.Unmarshal(s.Args, &d); err != nil {
		return out, err
	}
	wanted := map[hash][]record{}
	for _, n := range d.Nodes {
		r, text, err := n.read()
		if err != nil {
			return out, err
		}
		key := xxh3.Hash128(text)
		wanted[key] = append(wanted[key], r)
	}
	if err := l.crossOff(ctx, d.Label, wanted); err != nil {
		return out, err
	}
	var missing []record
	for _, records := range wanted {
		missing = append(missing, records...)
	}
	if len(missing) > 0 {
		_, err = l.inTransaction(ctx, func(tx driver.ManagedTransaction) (any, error) {
			return createNodes(ctx, tx, missing)
		})
	}
	out.Verdict.Set("restored", len(missing))
	return out, err
}

// crossOff removes what is there already, among the nodes that stand alone.
func (l *link) crossOff(ctx context.Context, label string, wanted map[hash][]record) error {
	return l.read(ctx, "MATCH (n:"+quote(label)+") WHERE NOT (n)--() RETURN n", nil, func(r *driver.Record) error {
		n, ok := r.Values[0].(dbtype.Node)
		if !ok {
			return fmt.Errorf("%T instead of a node", r.Values[0])
		}
		text, err := appendNode(nil, n)
		if err != nil {
			return err
		}
		key := xxh3.Hash128(text)
		if left := wanted[key]; len(left) > 0 {
			wanted[key] = left[1:]
		}
		return nil
	})
}
