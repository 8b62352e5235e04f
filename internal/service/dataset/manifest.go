package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// attrPromise is the attribute of a manifest that says what the copy holds and how it was
// read: it is compared by the same rules, whatever is declared by then.
const attrPromise = "declaration"

// Names of Manifest.Counts.
const (
	countFiles, countBytes = "files", "bytes"
	countTables, countRows = "tables", "rows"
)

// promise is as much of a declaration as a copy is compared by.
type promise struct {
	Tables  map[string]promisedTable `json:"tables"`
	Also    []string                 `json:"also,omitempty"`
	Exclude []string                 `json:"exclude,omitempty"`
}

type promisedTable struct {
	Files      []string          `json:"files,omitempty"`
	Increments []string          `json:"increments,omitempty"`
	Document   string            `json:"document,omitempty"`
	Rows       string            `json:"rows,omitempty"`
	Columns    map[string]Column `json:"columns"`
	Totals     map[string]string `json:"totals,omitempty"`
	Lasting    map[string]string `json:"lasting,omitempty"`
}

func promiseOf(cfg Config) promise {
	p := promise{Tables: map[string]promisedTable{}, Also: cfg.Also, Exclude: cfg.Exclude}
	for name, t := range cfg.Tables {
		p.Tables[name] = promisedTable{t.Files, t.Increments.Files, t.Document, t.Rows, t.Columns, t.Totals, t.Lasting}
	}
	return p
}

func (p promise) text() (string, error) {
	text, err := json.Marshal(p)
	return string(text), err
}

func promisedBy(m service.Manifest) (p promise, err error) {
	if err := json.Unmarshal([]byte(m.Attrs[attrPromise]), &p); err != nil {
		return p, fmt.Errorf("read what the copy says of its tables: %w: %w", err, service.ErrDamaged)
	}
	return p, nil
}

// config is a declaration of no more than that.
func (p promise) config() Config {
	cfg := Config{Tables: map[string]Table{}, Also: p.Also, Exclude: p.Exclude}
	for name, t := range p.Tables {
		cfg.Tables[name] = Table{Files: t.Files, Increments: Increments{Files: t.Increments}, Document: t.Document, Rows: t.Rows,
			Columns: t.Columns, Totals: t.Totals, Lasting: t.Lasting}
	}
	return cfg
}

// at is an instance of the same form over another directory. It keeps nothing of what it
// sees.
func (in *Instance) at(dir string, p promise) *Instance {
	other := &Instance{env: in.env, dir: dir, declare: func(context.Context, string) (Config, []service.Finding, error) { return p.config(), nil, nil }}
	other.env.State = nil
	return other
}

// content is what tables hold, by their names.
type content map[string]tableContent

type tableContent struct {
	mark
	groups map[string]map[string]mark // by name of lasting, by value
}

// mark sums up rows. Two sets of rows with the same mark are the same, in whatever order.
type mark struct {
	rows   int64
	digest string
	totals map[string]string
}

// measure reads all tables that can be read whole; the verdict gets what cannot.
func (in *Instance) measure(ctx context.Context, how how, v *service.Verdict) (all content, err error) {
	s, err := in.open(ctx, how, v)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	all = content{}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Tables)) {
		if !s.asked[name] || s.partial[name] {
			continue
		}
		if err := s.measure(ctx, name, all); err != nil {
			if err := s.unanswered(ctx, name, err, v); err != nil {
				return nil, err
			}
			delete(all, name)
		}
	}
	return all, ctx.Err()
}

func (s *store) measure(ctx context.Context, name string, all content) error {
	whole, err := s.marks(ctx, name, "''")
	if err != nil {
		return err
	}
	of := tableContent{mark: mark{digest: "0"}, groups: map[string]map[string]mark{}}
	if m, any := whole[""]; any {
		of.mark = m
	}
	for group, by := range s.cfg.Tables[name].Lasting {
		if of.groups[group], err = s.marks(ctx, name, by); err != nil {
			return err
		}
	}
	all[name] = of
	return nil
}

// marks are those of the rows by the value of an expression. The digest is a sum over
// rows, each by its declared columns: MD5 stays the same in every version of DuckDB, hash()
// does not.
func (s *store) marks(ctx context.Context, name, by string) (map[string]mark, error) {
	t := s.cfg.Tables[name]
	totals := slices.Sorted(maps.Keys(t.Totals))
	parts := []string{"(" + by + ")::VARCHAR", "count(*)", "sum(md5_number_lower(" + t.row() + ")::HUGEINT)::VARCHAR"}
	for _, total := range totals {
		parts = append(parts, t.Totals[total])
	}
	statement := fmt.Sprintf("SELECT %s FROM %s WHERE (%s) IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT %d", strings.Join(parts, ", "), tables.Name(whole+name), by, mostGroups)
	found := map[string]mark{}
	for row, err := range s.db.Rows(ctx, statement) {
		if err != nil {
			return nil, err
		}
		m := mark{rows: row.Values[1].(int64), digest: row.Values[2].(string), totals: map[string]string{}}
		for i, total := range totals {
			m.totals[total] = figure(row.Values[3+i])
		}
		found[row.Values[0].(string)] = m
	}
	return found, nil
}

// row is the text of a row that no other row has: every value with its length before it.
func (t Table) row() string {
	var parts []string
	for _, column := range t.known() {
		text := tables.Name(column) + "::VARCHAR"
		parts = append(parts, "coalesce(length("+text+") || ':' || "+text+", '-')")
	}
	return strings.Join(parts, " || ")
}

// figure is a total as text. Nine digits of a number do not depend on the order in which
// it was added up.
func figure(v any) string {
	if x, is := v.(float64); is {
		return strconv.FormatFloat(x, 'g', 9, 64)
	}
	return fmt.Sprint(v)
}

// Attributes of a manifest's entry; those of totals follow a prefix.
const (
	attrTable, attrName, attrValue = "table", "name", "value"
	attrTotal                      = "total "
)

// entries are one per table and one per group of each.
func (c content) entries() (all []service.Entry) {
	for table, of := range c {
		all = append(all, of.entry(table, map[string]string{attrTable: table}))
		for name, groups := range of.groups {
			for value, m := range groups {
				all = append(all, m.entry(table+"/"+name+"/"+value, map[string]string{attrTable: table, attrName: name, attrValue: value}))
			}
		}
	}
	slices.SortFunc(all, func(a, b service.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (m mark) entry(name string, attrs map[string]string) service.Entry {
	for total, n := range m.totals {
		attrs[attrTotal+total] = n
	}
	return service.Entry{Name: name, Count: m.rows, Digest: m.digest, Attrs: attrs}
}

// contentOf reads the entries of a manifest back.
func contentOf(m service.Manifest) content {
	c := content{}
	for _, e := range m.Entries { // a table comes before its groups
		of := mark{rows: e.Count, digest: e.Digest, totals: map[string]string{}}
		for name, value := range e.Attrs {
			if total, is := strings.CutPrefix(name, attrTotal); is {
				of.totals[total] = value
			}
		}
		table, name := e.Attrs[attrTable], e.Attrs[attrName]
		if name == "" {
			c[table] = tableContent{mark: of, groups: map[string]map[string]mark{}}
			continue
		}
		if groups := c[table].groups; groups != nil {
			if groups[name] == nil {
				groups[name] = map[string]mark{}
			}
			groups[name][e.Attrs[attrValue]] = of
		}
	}
	return c
}

func (c content) counts() map[string]int64 {
	var rows int64
	for _, of := range c {
		rows += of.rows
	}
	return map[string]int64{countTables: int64(len(c)), countRows: rows}
}

// same compares rows, digest and totals.
func (m mark) same(o mark) bool {
	return m.rows == o.rows && m.digest == o.digest && maps.Equal(m.totals, o.totals)
}

// String is a mark for people: "3 rows, tests 12".
func (m mark) String() string {
	text := strconv.FormatInt(m.rows, 10)
	for _, total := range slices.Sorted(maps.Keys(m.totals)) {
		text += ", " + total + " " + m.totals[total]
	}
	return text
}
