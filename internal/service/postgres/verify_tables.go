package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// stateNoColumn is what COPY answers when a column is missing.
const stateNoColumn = "42703"

type relation struct{ schema, name string }

// tables compares every table of a database, two at a time.
func (v *verifying) tables(ctx context.Context, database, encoding string, present []table) error {
	found := map[relation]table{}
	for _, t := range present {
		found[relation{t.Schema, t.Name}] = t
	}
	var expected []service.Entry
	for _, e := range v.manifest.Entries {
		sort := e.Attrs[attrIs]
		if e.Attrs[attrDatabase] == database && (sort == isTable || sort == isPartitioned || sort == isForeign) {
			expected = append(expected, e)
		}
	}
	v.extra(database, expected, present)
	work := make(chan service.Entry, len(expected))
	for _, e := range expected {
		work <- e
	}
	close(work)
	group, ctx := errgroup.WithContext(ctx)
	for range readersAtOnce {
		group.Go(func() error { return v.reader(ctx, database, encoding, work, found) })
	}
	return group.Wait()
}

// extra names tables that the manifest does not know.
func (v *verifying) extra(database string, expected []service.Entry, present []table) {
	known := map[relation]bool{}
	for _, e := range expected {
		known[relation{e.Attrs[attrSchema], e.Attrs[attrTable]}] = true
	}
	for _, t := range present {
		if !known[relation{t.Schema, t.Name}] {
			subject := database + "." + t.Schema + "." + t.Name
			v.crit("table-extra", subject, service.Args{"table": subject})
		}
	}
}

func (v *verifying) reader(ctx context.Context, database, encoding string, work <-chan service.Entry, found map[relation]table) error {
	conn, err := v.in.steady(ctx, database, encoding)
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	for e := range work {
		t, there := found[relation{e.Attrs[attrSchema], e.Attrs[attrTable]}]
		subject := database + "." + e.Attrs[attrSchema] + "." + e.Attrs[attrTable]
		if !there {
			v.crit("table-missing", subject, service.Args{"table": subject, "rows": e.Count})
			continue
		}
		if err := v.constraints(subject, e, t); err != nil {
			return err
		}
		if e.Attrs[attrIs] != isTable || e.Attrs[attrRows] != "" {
			continue
		}
		if err := v.rows(ctx, conn, subject, e, encoding); err != nil {
			return fmt.Errorf("compare table %s: %w", subject, err)
		}
	}
	return nil
}

// rows reads the table as it was read for the copy.
func (v *verifying) rows(ctx context.Context, conn *pgx.Conn, subject string, e service.Entry, encoding string) error {
	columns, err := unlist(e.Attrs[attrColumns])
	if err != nil {
		return err
	}
	d, err := copyDigest(ctx, conn, copyOut(e.Attrs[attrSchema], e.Attrs[attrTable], columns, e.Attrs[attrCondition], encoding), nil)
	switch {
	case state(err) == stateNoColumn:
		v.crit("table-columns-differ", subject, service.Args{"table": subject})
		return nil
	case err != nil:
		return err
	case d.rows != e.Count || d.sum() != e.Digest:
		v.crit("table-differs", subject, service.Args{"table": subject, "expected": e.Count, "found": d.rows})
		return nil
	}
	v.count("tables", 1)
	v.count("rows", d.rows)
	return nil
}

// constraints compares by name: PostgreSQL writes the text of some differently
// after a restore. That they hold was checked when they were added.
func (v *verifying) constraints(subject string, e service.Entry, t table) error {
	expected, err := unlist(e.Attrs["constraints"])
	if err != nil {
		return err
	}
	open, err := unlist(e.Attrs["unvalidated"])
	if err != nil {
		return err
	}
	indexes, err := unlist(e.Attrs["indexes"])
	if err != nil {
		return err
	}
	for _, name := range expected {
		switch {
		case !slices.Contains(t.Constraints, name):
			v.crit("constraint-missing", subject, service.Args{"table": subject, "constraint": name})
		case slices.Contains(t.Unvalidated, name) && !slices.Contains(open, name):
			v.crit("constraint-not-valid", subject, service.Args{"table": subject, "constraint": name})
		}
	}
	for _, name := range indexes {
		if !slices.Contains(t.Indexes, name) {
			v.crit("index-missing", subject, service.Args{"table": subject, "index": name})
		}
	}
	return nil
}
