package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/tables"
)

// union is a table's file and its increments in one database: what the file would hold
// after a merge or a de-duplication. Nothing is written until write.
//
// Keys are compared once, over the columns of the key alone; what the comparison gives are
// numbers of rows, so that writing needs no more than a look at a set of numbers.
type union struct {
	db         *tables.DB
	t          Table
	main       string   // path
	increments []string // paths, in the order in which later ones win
	scratch    string   // directory for copies of them
	aside      []string // the copies
	columns    []string // of the file, in its order
	types      map[string]string
	taken      int64 // rows of the increments
}

// Tables of the database of a union.
const (
	gathered = "_upkeep gathered" // a view: the rows of the increments, of those with one key the last
	losers   = "_upkeep losers"   // numbers of rows of the file that another row replaces
	matched  = "_upkeep matched"  // numbers of rows of both with one key
	place    = "_upkeep place"    // column: where a row lies in the increments, or in the file
	earlier  = "_upkeep earlier"  // places of rows of the increments that a later one of them replaces
	beaten   = "_upkeep beaten"   // rows that were gathered, and of which the file has a later one
)

func (u *union) fileRows() string {
	return "read_parquet(" + tables.Text(u.main) + ", file_row_number = true)"
}

// describe reads the columns of the file.
func (u *union) describe(ctx context.Context) error {
	u.types = map[string]string{}
	for row, err := range u.db.Rows(ctx, "DESCRIBE SELECT * FROM "+tables.From(tables.Parquet, u.main)) {
		if err != nil {
			return err
		}
		name := row.Values[0].(string)
		u.columns, u.types[name] = append(u.columns, name), row.Values[1].(string)
	}
	return nil
}

// gather lays the increments aside, so that they may grow from now on, and makes their
// rows a view, of those with one key the last. A row without a whole key is equal to no other.
func (u *union) gather(ctx context.Context) error {
	u.taken = 0
	if len(u.increments) == 0 {
		return u.db.Do(ctx, fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT *, 0::BIGINT AS %s FROM %s LIMIT 0", tables.Name(gathered), tables.Name(place), tables.From(tables.Parquet, u.main)))
	}
	from, err := u.incrementRows(ctx)
	if err != nil {
		return err
	}
	row, err := u.db.One(ctx, "SELECT count(*) FROM "+tables.From(tables.Parquet, u.aside...))
	if err != nil {
		return err
	}
	u.taken, _ = row.Values[0].(int64)
	if err := u.db.Do(ctx, "CREATE OR REPLACE TABLE "+tables.Name(earlier)+" AS "+u.doubled(from)); err != nil {
		return err
	}
	return u.db.Do(ctx, fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT * FROM (%s) ANTI JOIN %s USING (%s)", tables.Name(gathered), from, tables.Name(earlier), tables.Name(place)))
}

// incrementRows gives the rows of the increments with the columns and types of the file,
// and where each lies.
func (u *union) incrementRows(ctx context.Context) (string, error) {
	if err := u.layAside(); err != nil {
		return "", err
	}
	from := "read_parquet(" + tables.List(u.aside) + ", union_by_name = true, file_row_number = true)"
	there, err := described(ctx, u.db, from)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(u.columns))
	for i, column := range u.columns {
		parts[i] = "NULL::" + u.types[column] + " AS " + tables.Name(column)
		if there[column] {
			parts[i] = fmt.Sprintf("CAST(%[1]s AS %[2]s) AS %[1]s", tables.Name(column), u.types[column])
		}
	}
	return fmt.Sprintf("SELECT %s, (file_index::BIGINT << 40) + file_row_number AS %s FROM %s", strings.Join(parts, ", "), tables.Name(place), from), nil
}

// layAside copies the increments: to read copies again is cheaper than to keep their rows
// in a table that does not fit into the memory.
func (u *union) layAside() error {
	u.aside = nil
	for i, path := range u.increments {
		to := filepath.Join(u.scratch, fmt.Sprintf("%d.parquet", i))
		if err := copied(path, to); err != nil {
			return fmt.Errorf("lay %s aside: %w", path, err)
		}
		u.aside = append(u.aside, to)
	}
	return nil
}

func copied(path, to string) (err error) {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only read
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

// doubled finds the rows with a key that a later one has, too: first the keys, which are
// few, then their rows.
func (u *union) doubled(from string) string {
	keys := make([]string, len(u.t.Key))
	parts := []string{tables.Name(place)}
	for i, folded := range u.t.folded(u.t.Key) {
		keys[i] = fmt.Sprintf("k%d", i)
		parts = append(parts, folded+" AS "+keys[i])
	}
	order := []string{}
	for i, column := range u.t.Order {
		order = append(order, fmt.Sprintf("o%d DESC NULLS LAST", i))
		parts = append(parts, fmt.Sprintf("%s AS o%d", tables.Name(column), i))
	}
	order = append(order, tables.Name(place)+" DESC")
	return fmt.Sprintf(`WITH r AS NOT MATERIALIZED (SELECT %[1]s FROM (%[2]s) WHERE NOT (%[3]s)), twice AS (SELECT %[4]s FROM r GROUP BY ALL HAVING count(*) > 1)
		SELECT %[5]s FROM r SEMI JOIN twice USING (%[4]s) QUALIFY row_number() OVER (PARTITION BY %[4]s ORDER BY %[6]s) > 1`,
		strings.Join(parts, ", "), from, nulls(u.t.Key), strings.Join(keys, ", "), tables.Name(place), strings.Join(order, ", "))
}

// list names the columns of the file.
func (u *union) list() string {
	names := make([]string, len(u.columns))
	for i, column := range u.columns {
		names[i] = tables.Name(column)
	}
	return strings.Join(names, ", ")
}

func (u *union) descending() []string {
	parts := make([]string, len(u.t.Order))
	for i, column := range u.t.Order {
		parts[i] = tables.Name(column) + " DESC NULLS LAST"
	}
	return parts
}

// match finds the rows of the file that were gathered anew, and which of the two is
// later: where the order does not tell, the increment.
func (u *union) match(ctx context.Context) error {
	var keys, on []string
	for i, folded := range u.t.folded(u.t.Key) {
		keys = append(keys, fmt.Sprintf("%s AS k%d", folded, i))
		on = append(on, fmt.Sprintf("k%d", i))
	}
	order := make([]string, len(u.t.Order))
	for i, column := range u.t.Order {
		order[i] = fmt.Sprintf("%s AS o%d", tables.Name(column), i)
	}
	picked := strings.Join(slices.Concat(keys, order), ", ")
	pairs := fmt.Sprintf(`SELECT f.file_row_number AS n, g.id AS g, %s AS stays FROM (SELECT file_row_number, %s FROM %s) f JOIN (SELECT %s AS id, %s FROM %s) g USING (%s)`,
		u.later("f", "g"), picked, u.fileRows(), tables.Name(place), picked, tables.Name(gathered), strings.Join(on, ", "))
	if err := u.db.Do(ctx, "CREATE TABLE "+tables.Name(matched)+" AS "+pairs); err != nil {
		return err
	}
	if err := u.db.Do(ctx, "CREATE TABLE "+tables.Name(losers)+" AS SELECT DISTINCT n FROM "+tables.Name(matched)+" WHERE NOT stays"); err != nil {
		return err
	}
	return u.db.Do(ctx, "CREATE TABLE "+tables.Name(beaten)+" AS SELECT DISTINCT g FROM "+tables.Name(matched)+" WHERE stays")
}

// later is true where the first row is later than the second by the declared order.
func (u *union) later(a, b string) string {
	if len(u.t.Order) == 0 {
		return "false"
	}
	var first, second []string
	for i := range u.t.Order {
		first, second = append(first, fmt.Sprintf("%s.o%d", a, i)), append(second, fmt.Sprintf("%s.o%d", b, i))
	}
	return fmt.Sprintf("coalesce((%s) > (%s), false)", strings.Join(first, ", "), strings.Join(second, ", "))
}

// doubles finds the rows of the file with a key that a later row of it has, too.
func (u *union) doubles(ctx context.Context) error {
	order := strings.Join(append(u.descending(), "file_row_number DESC"), ", ")
	if err := u.db.Do(ctx, "CREATE TABLE "+tables.Name(beaten)+" (g BIGINT)"); err != nil {
		return err
	}
	folded := u.t.folded(u.t.Key)
	return u.db.Do(ctx, fmt.Sprintf(`CREATE TABLE %s AS SELECT file_row_number AS n FROM (SELECT * FROM %s WHERE %s) QUALIFY row_number() OVER (PARTITION BY %s ORDER BY %s) > 1`,
		tables.Name(losers), u.fileRows(), strings.Join(folded, " IS NOT NULL AND ")+" IS NOT NULL", strings.Join(folded, ", "), order))
}

// result is the statement that gives the rows of the new file.
func (u *union) result() string {
	return fmt.Sprintf(`SELECT %[1]s FROM (SELECT *, file_row_number AS %[2]s FROM %[3]s) ANTI JOIN (SELECT n AS %[2]s FROM %[4]s) USING (%[2]s)
		UNION ALL SELECT %[1]s FROM %[5]s ANTI JOIN (SELECT g AS %[2]s FROM %[6]s) USING (%[2]s)`,
		u.list(), tables.Name(place), u.fileRows(), tables.Name(losers), tables.Name(gathered), tables.Name(beaten))
}

// balance is what becomes of the rows.
type balance struct {
	Before   int64 `json:"before"`   // rows of the file
	Taken    int64 `json:"taken"`    // rows of the increments
	Doubles  int64 `json:"doubles"`  // of them, replaced by a later one of the increments
	Replaced int64 `json:"replaced"` // rows of the file that a later row replaces
	Older    int64 `json:"older"`    // rows of the increments of which the file has a later one
	After    int64 `json:"after"`
}

func (u *union) balance(ctx context.Context) (b balance, err error) {
	row, err := u.db.One(ctx, fmt.Sprintf(`SELECT (SELECT count(*) FROM %s), (SELECT count(*) FROM %s), (SELECT count(*) FROM %s), (SELECT count(*) FROM %s)`,
		tables.From(tables.Parquet, u.main), tables.Name(gathered), tables.Name(losers), tables.Name(beaten)))
	if err != nil {
		return b, err
	}
	n := func(i int) int64 { v, _ := row.Values[i].(int64); return v }
	b = balance{Before: n(0), Taken: u.taken, Doubles: u.taken - n(1), Replaced: n(2), Older: n(3)}
	b.After = b.Before - b.Replaced + n(1) - b.Older
	return b, nil
}

// proof is count and content of rows, whatever their order.
func (u *union) proof(ctx context.Context, from string) (string, error) {
	row, err := u.db.One(ctx, "SELECT count(*), sum(hash("+u.list()+")) FROM ("+from+")")
	if err != nil {
		return "", err
	}
	return fmt.Sprint(row.Values...), nil
}

// write makes the new file and proves that it holds what the statement gives: it is read
// back, and count and content are compared.
func (u *union) write(ctx context.Context, path string, notes map[string]string) error {
	statement := "COPY (" + u.result() + ") TO " + tables.Text(path) + " (FORMAT parquet, COMPRESSION snappy" + noted(notes) + ")"
	if err := u.db.Do(ctx, statement); err != nil {
		return fmt.Errorf("write the table anew: %w", err)
	}
	want, err := u.proof(ctx, u.result())
	if err != nil {
		return fmt.Errorf("read the rows again: %w", err)
	}
	have, err := u.proof(ctx, "SELECT * FROM "+tables.From(tables.Parquet, path))
	if err != nil {
		return fmt.Errorf("read the new file: %w", err)
	}
	if have != want {
		return fmt.Errorf("the new file holds %s, not %s: it is thrown away", have, want)
	}
	return nil
}

// noted is the option that puts notes into the footer.
func noted(notes map[string]string) string {
	if len(notes) == 0 {
		return ""
	}
	var parts []string
	for key, value := range notes {
		parts = append(parts, tables.Name(key)+": "+tables.Text(value))
	}
	slices.Sort(parts)
	return ", KV_METADATA {" + strings.Join(parts, ", ") + "}"
}
