package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// Attributes of entries, and the values of attrIs.
const (
	attrIs        = "is"
	attrDatabase  = "database"
	attrSchema    = "schema"
	attrTable     = "table"
	attrColumns   = "columns"
	attrCondition = "condition"
	attrRows      = "rows" // "excluded" where the declaration leaves them out

	isDatabase     = "database"
	isRole         = "role"
	isTable        = "table"
	isPartitioned  = "partitioned table"
	isForeign      = "foreign table"
	isSequence     = "sequence"
	isExtension    = "extension"
	isLargeObjects = "large objects"
)

// Manifest is complete once every part has been read to its end.
func (s *snapshot) Manifest(context.Context) (service.Manifest, error) {
	m := service.Manifest{
		Taken: s.taken, Version: s.server.Version, Identity: s.identity,
		Counts: map[string]int64{}, Findings: s.findings,
		Attrs: map[string]string{
			"major": strconv.Itoa(s.server.Major), "pg_dump": strconv.Itoa(s.dumper), "bootstrap": s.server.Bootstrap, "libraries": s.server.Libraries,
		},
	}
	s.digests(m.Attrs)
	for _, r := range s.roles {
		m.Entries = append(m.Entries, r.entry())
	}
	m.Counts["roles"] = int64(len(s.roles))
	m.Counts["databases"] = int64(len(s.views))
	for _, v := range s.views {
		if err := s.describe(v, &m); err != nil {
			return service.Manifest{}, err
		}
	}
	slices.SortFunc(m.Entries, func(a, b service.Entry) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

// digests go into attributes, not entries: pg_dump writes the time into what it
// writes, so that two copies of one thing differ.
func (s *snapshot) digests(attrs map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, sum := range s.whole {
		attrs[attrDigest+name] = sum
	}
}

// attrDigest and the name of a part are the attribute with its SHA-256.
const attrDigest = "sha256 "

func (s *snapshot) describe(v *view, m *service.Manifest) error {
	m.Entries = append(m.Entries, v.entry())
	for _, t := range v.tables {
		e := v.tableEntry(t)
		if v.copies(t) {
			if err := s.fill(&e); err != nil {
				return err
			}
			m.Counts["tables"]++
			m.Counts["rows"] += e.Count
		}
		m.Entries = append(m.Entries, e)
	}
	if v.largeObjects > 0 {
		e := service.Entry{Name: largeObjectsName(v.Name), Attrs: map[string]string{attrIs: isLargeObjects, attrDatabase: v.Name}}
		if err := s.fill(&e); err != nil {
			return err
		}
		e.Count = v.largeObjects // not of pieces
		m.Counts["large_objects"] += e.Count
		m.Entries = append(m.Entries, e)
	}
	m.Counts["sequences"] += int64(len(v.sequences))
	m.Entries = append(m.Entries, v.otherEntries()...)
	return nil
}

// fill completes an entry by what was read of the part of the same name.
func (s *snapshot) fill(e *service.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, read := s.read[e.Name]
	if !read {
		return fmt.Errorf("part %q was not read to its end", e.Name)
	}
	e.Count, e.Digest = d.rows, d.sum()
	return nil
}

func (v *view) tableEntry(t table) service.Entry {
	at := map[string]string{
		attrIs: isTable, attrDatabase: v.Name, attrSchema: t.Schema, attrTable: t.Name, "owner": t.Owner,
		attrColumns: list(t.Columns), "constraints": list(t.Constraints), "indexes": list(t.Indexes),
	}
	optional := map[string]string{
		attrCondition: t.Condition, "extension": t.Extension,
		"unvalidated": list(t.Unvalidated), "triggers": list(t.Triggers),
	}
	for name, text := range optional {
		if text != "" {
			at[name] = text
		}
	}
	switch {
	case t.Kind == partitionedTable:
		at[attrIs] = isPartitioned
	case t.Kind == foreignTable:
		at[attrIs] = isForeign
	case !v.copies(t):
		at[attrRows] = "excluded"
	}
	return service.Entry{Name: tableName(v.Name, t.Schema, t.Name), Attrs: at}
}

func (v *view) otherEntries() (entries []service.Entry) {
	for _, q := range v.sequences {
		entries = append(entries, service.Entry{
			Name: sequenceName(v.Name, q.Schema, q.Name), Count: q.Last,
			Attrs: map[string]string{
				attrIs: isSequence, attrDatabase: v.Name, attrSchema: q.Schema, "sequence": q.Name,
				"called": strconv.FormatBool(q.Called), "owner": q.Owner,
				"owner_schema": q.OwnerSchema, "owner_table": q.OwnerTable,
			},
		})
	}
	for _, x := range v.extensions {
		entries = append(entries, service.Entry{
			Name:  escape(v.Name) + "/extensions/" + escape(x.Name),
			Attrs: map[string]string{attrIs: isExtension, attrDatabase: v.Name, "extension": x.Name, "version": x.Version},
		})
	}
	return entries
}

// entriesOf selects the entries of one sort, of one database unless it is "".
func entriesOf(m service.Manifest, is, database string) (found []service.Entry) {
	for _, e := range m.Entries {
		if e.Attrs[attrIs] == is && (database == "" || e.Attrs[attrDatabase] == database) {
			found = append(found, e)
		}
	}
	return found
}
