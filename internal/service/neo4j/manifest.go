package neo4j

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/service"
)

// Attributes of a manifest. The digest of each part's bytes is under "part NAME".
const (
	attrFormat   = "format"
	attrMark     = "mark"
	attrFrom     = "read_from" // the window in which the graph was read, by the server's clock
	attrUntil    = "read_until"
	attrDatabase = "database"
	attrPart     = "part "

	format = "1"
)

// Entries of a manifest: nodes by their whole set of labels, relationships by type,
// each constraint and index.
const (
	nodesOf         = "nodes "
	relationshipsOf = "relationships "
	ruleOfSchema    = "schema "
)

func nodesEntry(labels []string) string {
	if len(labels) == 0 {
		return nodesOf + "without labels"
	}
	sorted := slices.Sorted(slices.Values(labels))
	for i, label := range sorted {
		sorted[i] = quoted(label)
	}
	return nodesOf + ":" + strings.Join(sorted, ":")
}

func relationshipsEntry(kind string) string { return relationshipsOf + ":" + quoted(kind) }
func ruleEntry(r rule) string               { return ruleOfSchema + r.definition() }

// state is when the database was asked and what its last change was.
type state struct {
	at   time.Time
	mark string // differs after any change; empty where it cannot be told
}

// state reads the server's clock. The bookmark of a read names the last change of
// the database; with the start of the process it stays unambiguous when a dump was
// loaded in between, for which Neo4j has to stand still.
func (l *link) state(ctx context.Context) (now state, err error) {
	s := l.session(ctx, l.name, driver.AccessModeRead)
	defer func() { _ = l.end(ctx, s) }()
	result, err := s.Run(ctx, "RETURN datetime()", nil)
	if err != nil {
		return now, l.fault(ctx, "ask the server for its time", err)
	}
	record, err := result.Single(ctx)
	if err != nil {
		return now, l.fault(ctx, "ask the server for its time", err)
	}
	now.at, _ = record.Values[0].(time.Time)
	started, err := l.number(ctx, "CALL dbms.queryJmx('java.lang:type=Runtime') YIELD attributes RETURN attributes.StartTime.value", nil)
	db, missing := l.database(ctx)
	if marks := driver.BookmarksToRawValues(s.LastBookmarks()); err == nil && missing == nil && len(marks) == 1 {
		now.mark = fmt.Sprintf("%s %s %d", db.id, marks[0], started)
	}
	return now, ctx.Err()
}

// Manifest speaks of what was read, or of the previous copy where nothing was.
func (s *snapshot) Manifest(ctx context.Context) (service.Manifest, error) {
	end, err := s.link.state(ctx)
	if err != nil {
		return service.Manifest{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := service.Manifest{Taken: s.state.at.UTC(), Until: end.at.UTC(), Version: s.version, Identity: s.identity, Attrs: map[string]string{
		attrFormat: format, attrMark: s.state.mark, attrDatabase: s.link.name,
		attrFrom: s.state.at.UTC().Format(time.RFC3339Nano), attrUntil: end.at.UTC().Format(time.RFC3339Nano)}}
	all, err := s.account(&m, end.mark)
	if err != nil {
		return service.Manifest{}, err
	}
	m.Entries = all
	m.Counts = totals(all)
	if s.lost > 0 {
		m.Findings = append(m.Findings, service.Finding{ID: "relationships-gone", Severity: service.Warning,
			Args: service.Args{"relationships": s.lost}})
	}
	return m, nil
}

// account fills in the parts' digests and returns the entries.
func (s *snapshot) account(m *service.Manifest, markNow string) ([]service.Entry, error) {
	all := sums{}
	for _, p := range s.parts() {
		read, ok := s.read[p.Name]
		switch {
		case ok:
			m.Attrs[attrPart+p.Name] = read.raw
			all.merge(read.sums)
		case s.prev == nil:
			return nil, fmt.Errorf("part %q was not read to its end", p.Name)
		default:
			m.Attrs[attrPart+p.Name] = s.prev.Attrs[attrPart+p.Name]
		}
	}
	if s.prev == nil {
		return all.entries(), nil
	}
	if len(s.read) > 0 && markNow != s.state.mark {
		return nil, fmt.Errorf("the graph changed while a part of it was read again: %w", service.ErrChanged)
	}
	return s.prev.Entries, nil
}

func (s sums) entries() []service.Entry {
	var all []service.Entry
	for name, one := range s {
		all = append(all, service.Entry{Name: name, Count: one.count, Digest: one.String()})
	}
	slices.SortFunc(all, func(a, b service.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// totals adds the entries up for people.
func totals(entries []service.Entry) map[string]int64 {
	counts := map[string]int64{"nodes": 0, "relationships": 0, "constraints": 0, "indexes": 0}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name, nodesOf):
			counts["nodes"] += e.Count
		case strings.HasPrefix(e.Name, relationshipsOf):
			counts["relationships"] += e.Count
		case strings.HasPrefix(e.Name, ruleOfSchema+"CONSTRAINT "):
			counts["constraints"] += e.Count
		default:
			counts["indexes"] += e.Count
		}
	}
	return counts
}
