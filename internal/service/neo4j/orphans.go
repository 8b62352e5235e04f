package neo4j

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"

	"upkeep/internal/service"
)

const (
	// piece is how many nodes one step deletes: one transaction, and what Undo needs
	// of it is kept in the journal.
	piece = 1000
	// mostCandidates bounds the nodes that are compared with the rows of keep_if: more
	// are refused, whatever the cap says.
	mostCandidates = 1_000_000
)

// orphansOf is what a step is to delete.
type orphansOf struct {
	Rule     int      `json:"rule"`     // place under orphans:
	Declared string   `json:"declared"` // the rule as it was when the step was planned
	Nodes    []string `json:"nodes"`    // element IDs
	Total    int64    `json:"total"`    // nodes that the rule lets go, over all steps
	Of       int64    `json:"of"`       // nodes of the label
}

// orphanSteps lists what a rule lets go. Over the cap there is one step, which says
// the numbers and will be refused.
func (in *Instance) orphanSteps(ctx context.Context, l *link, i int, o Orphan) ([]service.Step, error) {
	of, err := l.number(ctx, countLabel(o.Label), nil)
	if err != nil {
		return nil, err
	}
	found, err := in.orphans(ctx, l, o, nil)
	if err != nil {
		return nil, err
	}
	total := int64(len(found))
	if total > o.AtMost.of(of) {
		return []service.Step{in.orphanStep(o, orphansOf{Rule: i, Declared: o.declared(), Total: total, Of: of}, 0)}, nil
	}
	var steps []service.Step
	for nodes := range slices.Chunk(found, piece) {
		steps = append(steps, in.orphanStep(o, orphansOf{Rule: i, Declared: o.declared(), Nodes: nodes, Total: total, Of: of}, len(steps)))
	}
	return steps, nil
}

// declared is the rule as text, to be compared.
func (o Orphan) declared() string { return string(encoded(o)) }

func (in *Instance) orphanStep(o Orphan, a orphansOf, part int) service.Step {
	words := service.Args{"label": o.Label, "nodes": len(a.Nodes), "total": a.Total, "of": a.Of,
		"age": o.OlderThan.Std().Seconds(), "limit": o.AtMost.of(a.Of)}
	title := "neo4j.step-orphans"
	if len(a.Nodes) == 0 {
		title = "neo4j.step-orphans-refused"
	}
	return service.Step{ID: fmt.Sprintf("orphans %d %s %d", a.Rule+1, o.Label, part+1), Target: in.env.Target,
		Op: opOrphans, Args: encoded(a), Risk: service.Reversible, Title: service.Message{ID: title, Args: words}}
}

// orphans returns the element IDs of the nodes that a rule lets go now, in order;
// with among only those.
func (in *Instance) orphans(ctx context.Context, l *link, o Orphan, among []string) ([]string, error) {
	found, err := in.candidates(ctx, l, o, among)
	if err != nil || len(found) == 0 || !o.KeepIf.asks() {
		return slices.Sorted(maps.Keys(found)), err
	}
	if err := in.keepReferenced(ctx, o.KeepIf, found); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// candidates are the nodes of the label without relationships that are old enough,
// with the value that rows may name. A node whose age cannot be told is too young.
func (in *Instance) candidates(ctx context.Context, l *link, o Orphan, among []string) (map[string]string, error) {
	cypher := "MATCH (n:" + quote(o.Label) + ") WHERE NOT (n)--() RETURN elementId(n), n[$since], n[$property]"
	if among != nil {
		cypher = "MATCH (n:" + quote(o.Label) + ") WHERE elementId(n) IN $among AND NOT (n)--() RETURN elementId(n), n[$since], n[$property]"
	}
	before := in.env.Now().Add(-o.OlderThan.Std())
	found := map[string]string{}
	params := map[string]any{"since": o.Since, "property": o.KeepIf.Property, "among": among}
	err := l.read(ctx, cypher, params, func(r *driver.Record) error {
		made, known := timeOf(r.Values[1])
		if !known || !made.Before(before) {
			return nil
		}
		element, _ := r.Values[0].(string)
		if found[element] = textOf(r.Values[2]); len(found) > mostCandidates {
			return fmt.Errorf("more than %d nodes of %s stand alone: %w", mostCandidates, o.Label, service.ErrRefused)
		}
		return nil
	})
	return found, err
}

// keepReferenced takes out what the other store names. One that gives no row at all
// has nothing to say about what may go.
func (in *Instance) keepReferenced(ctx context.Context, k KeepIf, found map[string]string) (err error) {
	peer, err := in.env.Peer(k.Target)
	if err != nil {
		return fmt.Errorf("open %s for keep_if: %w", k.Target, err)
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	asked, err := service.As[service.Queryer](peer)
	if err != nil {
		return fmt.Errorf("ask %s for keep_if: %w", k.Target, err)
	}
	byValue := map[string][]string{}
	for element, value := range found {
		if value == "" {
			delete(found, element) // no row could name it: whether it is needed cannot be told
			continue
		}
		byValue[value] = append(byValue[value], element)
	}
	rows := 0
	for row, err := range asked.Query(ctx, k.Query) {
		if err != nil {
			return fmt.Errorf("ask %s for keep_if: %w", k.Target, err)
		}
		if len(row.Values) == 0 || row.Values[0] == nil {
			continue
		}
		rows++
		for _, element := range byValue[textOf(row.Values[0])] {
			delete(found, element)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask %s for keep_if: %w", k.Target, err)
	}
	if rows == 0 && len(byValue) > 0 {
		return &service.Fault{ID: "neo4j.no-references", Args: service.Args{"peer": k.Target},
			Err: fmt.Errorf("keep_if of %s names no node at all: %w", k.Target, service.ErrRefused)}
	}
	return nil
}

// textOf makes values of two stores comparable: a UUID is text in both, a number may
// be text in one.
func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(value)
}

// layouts are those of times that applications store as text.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02"}

// timeOf reads a time of making. One without a zone is taken for UTC and may be off
// by less than a day: rules speak of days.
func timeOf(value any) (time.Time, bool) {
	switch v := value.(type) {
	case time.Time:
		return v, true
	case dbtype.LocalDateTime:
		return asUTC(v.Time()), true
	case dbtype.Date:
		return v.Time(), true
	case string:
		for _, layout := range layouts {
			if t, err := time.Parse(layout, v); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}
