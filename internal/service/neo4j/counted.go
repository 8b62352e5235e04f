package neo4j

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"upkeep/internal/service"
)

// tallied is a database as its count store tells it, without a node being read.
type tallied struct {
	at       time.Time // by the server's clock
	version  string
	identity string
	system   string // number of the system database, which is not in a dump
	entries  map[string]int64
	schema   schema
}

const (
	allNodes         = nodesOf + "in all"
	allRelationships = relationshipsOf + "in all"
)

func (in *Instance) tallied(ctx context.Context) (t tallied, err error) {
	err = in.with(ctx, func(l *link) error {
		t, err = l.tallied(ctx)
		return err
	})
	return t, err
}

func (l *link) tallied(ctx context.Context) (t tallied, err error) {
	now, err := l.state(ctx)
	if err != nil {
		return t, err
	}
	about, err := l.server(ctx)
	if err != nil {
		return t, err
	}
	t.at, t.version = now.at.UTC(), about.version
	if t.identity, err = l.identity(ctx); err != nil {
		return t, err
	}
	if t.system, err = l.systemID(ctx); err != nil {
		return t, err
	}
	if t.schema, err = l.schema(ctx); err != nil {
		return t, err
	}
	t.entries, err = l.tallies(ctx)
	for _, r := range t.schema.own() {
		t.entries[ruleEntry(r)] = 1
	}
	return t, err
}

// tallies are the totals, then the nodes of each label and the relationships of each
// type.
func (l *link) tallies(ctx context.Context) (map[string]int64, error) {
	entries := map[string]int64{}
	for entry, cypher := range map[string]string{allNodes: countNodes, allRelationships: countRelationships} {
		n, err := l.number(ctx, cypher, nil)
		if err != nil {
			return entries, err
		}
		entries[entry] = n
	}
	labels, err := l.tally(ctx, l.labels, countLabel, every)
	if err != nil {
		return entries, fmt.Errorf("count labels: %w", err)
	}
	for label, n := range labels {
		entries[nodesEntry([]string{label})] = n
	}
	types, err := l.tally(ctx, l.types, countType, every)
	if err != nil {
		return entries, fmt.Errorf("count types: %w", err)
	}
	for kind, n := range types {
		entries[relationshipsEntry(kind)] = n
	}
	return entries, nil
}

func (l *link) systemID(ctx context.Context) (string, error) {
	other := *l
	other.name = system
	db, err := other.database(ctx)
	return db.id, err
}

// totals are the counts for people.
func (t tallied) totals() map[string]int64 {
	constraints, indexes := t.schema.count()
	return map[string]int64{"nodes": t.entries[allNodes], "relationships": t.entries[allRelationships],
		"constraints": constraints, "indexes": indexes}
}

// attrAfter is an entry's count after the server was started again, where it is
// another: the dump is of a moment between the two.
const attrAfter = "after"

// bracket makes the entries of a manifest from the counts before and after a dump.
// moved is how many are not the same.
func bracket(before, after tallied) (entries []service.Entry, moved int) {
	names := maps.Clone(before.entries)
	maps.Copy(names, after.entries)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		e := service.Entry{Name: name, Count: before.entries[name]}
		if n := after.entries[name]; n != e.Count {
			e.Attrs = map[string]string{attrAfter: strconv.FormatInt(n, 10)}
			moved++
		}
		entries = append(entries, e)
	}
	return entries, moved
}

// compareTallies names every count that is not what the manifest of a dump promises.
func compareTallies(v *service.Verdict, m service.Manifest, present tallied) {
	left := maps.Clone(present.entries)
	for _, e := range m.Entries {
		n := left[e.Name]
		delete(left, e.Name)
		after, err := strconv.ParseInt(e.Attrs[attrAfter], 10, 64)
		if err != nil {
			after = e.Count
		}
		if n < min(e.Count, after) || n > max(e.Count, after) {
			differs(v, e.Name, e.Count, n)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		differs(v, name, 0, left[name])
	}
}

// verifyDump compares what the count store says with what it said around the dump.
func (in *Instance) verifyDump(ctx context.Context, m service.Manifest) (v service.Verdict, err error) {
	present, err := in.tallied(ctx)
	if err != nil {
		return v, err
	}
	for name, n := range present.totals() {
		v.Set(name, n)
	}
	compareTallies(&v, m, present)
	for _, rule := range present.schema {
		judgeState(&v, rule)
	}
	return v, nil
}

func isDump(c service.Copy) bool { return c.Manifest().Attrs[attrFormat] == dumpFormat }
