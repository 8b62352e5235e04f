package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

var _ service.Summarizer = (*Instance)(nil)

// Summarize sums up the declared reports. Each table is read whole, whatever its size, and
// grouped by the database within its memory.
func (in *Instance) Summarize(ctx context.Context) (all []service.Summary, err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	if len(cfg.Reports) == 0 {
		return nil, nil
	}
	asked := func(table string) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(cfg.Reports)), func(r Report) bool { return r.Table == table })
	}
	var v service.Verdict
	s, err := in.open(ctx, how{budget: -1, only: asked}, &v)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, name := range slices.Sorted(maps.Keys(cfg.Reports)) {
		sum, err := s.summarize(ctx, name, cfg.Reports[name])
		if err != nil {
			return nil, err
		}
		all = append(all, sum)
	}
	return all, nil
}

func (s *store) summarize(ctx context.Context, name string, r Report) (sum service.Summary, err error) {
	if !s.asked[r.Table] || s.partial[r.Table] || s.unfit(r.Table) > 0 {
		return sum, s.unsummed(r.Table, errors.New("it cannot be read in full"))
	}
	q := grouping{report: r, sets: sets(len(r.By)), counts: slices.Sorted(maps.Keys(r.Counts)),
		means: slices.Sorted(maps.Keys(r.Means)), errors: slices.Sorted(maps.Keys(r.Errors))}
	sum = service.Summary{Name: name, By: r.By, Counts: q.counts, Means: q.means, Errors: q.errors}
	for _, set := range q.sets {
		sum.Tables = append(sum.Tables, service.SummaryTable{By: pick(r.By, set)})
	}
	for row, err := range s.db.Rows(ctx, q.statement(s.cfg.Tables[r.Table])) {
		if err != nil {
			return sum, s.unsummed(r.Table, err)
		}
		q.put(&sum, row.Values)
	}
	for i, set := range q.sets {
		q.sort(sum.Tables[i].Groups, set)
	}
	return sum, nil
}

// unfit counts values of a document that its declared columns cannot hold.
func (s *store) unfit(table string) (n int64) {
	for _, count := range s.misfits[table] {
		n += count
	}
	return n
}

func (s *store) unsummed(table string, err error) error {
	return &service.Fault{ID: "dataset.not-summed", Args: service.Args{"table": table, "detail": tables.Said(err), "target": s.in.env.Target},
		Err: fmt.Errorf("sum up table %s: %s: %w", table, tables.Said(err), service.ErrUnsupported)}
}

// sets are the dimensions of each table, by their places.
func sets(n int) (all [][]int) {
	every := make([]int, n)
	add := func(set ...int) {
		if !slices.ContainsFunc(all, func(other []int) bool { return slices.Equal(other, set) }) {
			all = append(all, set)
		}
	}
	add()
	for i := range n {
		every[i] = i
		add(i)
	}
	for i := 1; i < n; i++ {
		add(0, i)
	}
	add(every...)
	return all
}

func pick(names []string, set []int) []string {
	picked := []string{}
	for _, i := range set {
		picked = append(picked, names[i])
	}
	return picked
}

// grouping is one question for all tables of a report, so that rows are read once.
type grouping struct {
	report                Report
	sets                  [][]int
	counts, means, errors []string // names, sorted
}

// dimension names one beside the columns of a table, whatever those are called.
func dimension(i int) string { return tables.Name(fmt.Sprintf("%sby %d", whole, i)) }

// mask is what DuckDB's grouping_id says of a set: a bit for each dimension that is not in it,
// the first one highest.
func (q grouping) mask(set []int) (mask int64) {
	for i := range q.report.By {
		mask <<= 1
		if !slices.Contains(set, i) {
			mask |= 1
		}
	}
	return mask
}

func (q grouping) statement(t Table) string {
	var made, names, groups []string
	for i, folded := range t.folded(q.report.By) {
		if as := q.report.As[q.report.By[i]]; as != "" {
			folded = as
		}
		made = append(made, fmt.Sprintf("coalesce((%s)::VARCHAR, '') AS %s", folded, dimension(i)))
		names = append(names, dimension(i))
	}
	for _, set := range q.sets {
		groups = append(groups, "("+strings.Join(pick(names, set), ", ")+")")
	}
	all := strings.Join(names, ", ")
	return fmt.Sprintf(`WITH rows AS (SELECT *, %s FROM %s),
		groups AS (SELECT grouping_id(%s) AS _table, %s, %s FROM rows GROUP BY GROUPING SETS (%s))
		SELECT _table, count(*) OVER t AS _groups, (sum(_trials) OVER t)::BIGINT AS _all, * EXCLUDE (_table) FROM groups
		WINDOW t AS (PARTITION BY _table)
		QUALIFY row_number() OVER (PARTITION BY _table ORDER BY _trials DESC, %s) <= %d`,
		strings.Join(made, ", "), tables.Name(whole+q.report.Table), all, all, strings.Join(q.numbers(), ", "), strings.Join(groups, ", "), all, service.SummaryGroups)
}

// numbers are asked of every group, in the order in which put reads them.
func (q grouping) numbers() []string {
	r := q.report
	asked := []string{"coalesce((" + r.Trials + "), 0)::BIGINT AS _trials", "coalesce((" + r.Successes + "), 0)::BIGINT"}
	allErrors := r.AllErrors
	for _, name := range q.errors {
		if r.AllErrors == "" {
			allErrors += " + (" + r.Errors[name] + ")"
		}
	}
	if allErrors == "" {
		allErrors = "NULL"
	}
	asked = append(asked, "("+allErrors+")::BIGINT")
	for _, name := range q.counts {
		asked = append(asked, "("+r.Counts[name]+")::BIGINT")
	}
	for _, name := range q.errors {
		asked = append(asked, "("+r.Errors[name]+")::BIGINT")
	}
	for _, name := range q.means {
		asked = append(asked, "("+r.Means[name]+")::DOUBLE")
	}
	return asked
}

// put adds a row to its table.
func (q grouping) put(sum *service.Summary, values []any) {
	table, groups, trials := whole64(values[0]), whole64(values[1]), whole64(values[2])
	i := slices.IndexFunc(q.sets, func(set []int) bool { return q.mask(set) == table })
	by, values := values[3:3+len(q.report.By)], values[3+len(q.report.By):]
	g := service.Group{Trials: whole64(values[0]), Successes: whole64(values[1]), AllErrors: whole64(values[2]), Values: []string{}}
	for _, at := range q.sets[i] {
		g.Values = append(g.Values, by[at].(string))
	}
	values = values[3:]
	for range q.counts {
		g.Counts, values = append(g.Counts, whole64(values[0])), values[1:]
	}
	for range q.errors {
		g.Errors, values = append(g.Errors, whole64(values[0])), values[1:]
	}
	for _, v := range values {
		mean, known := v.(float64)
		if !known {
			mean = math.NaN()
		}
		g.Means = append(g.Means, mean)
	}
	t := &sum.Tables[i]
	t.Groups = append(t.Groups, g)
	if len(t.Groups) == 1 {
		t.More = service.Left{Groups: groups, Trials: trials}
	}
	t.More.Groups, t.More.Trials = t.More.Groups-1, t.More.Trials-g.Trials
}

// whole64 is -1 for what is not known.
func whole64(v any) int64 {
	if n, is := v.(int64); is {
		return n
	}
	return -1
}

// sort puts groups in the order of their values: as declared, then numbers by size, then texts.
func (q grouping) sort(groups []service.Group, set []int) {
	slices.SortFunc(groups, func(a, b service.Group) int {
		for at, i := range set {
			if c := byValue(q.report.Order[q.report.By[i]], a.Values[at], b.Values[at]); c != 0 {
				return c
			}
		}
		return 0
	})
}

func byValue(order []string, a, b string) int {
	place := func(value string) int {
		if i := slices.Index(order, value); i >= 0 {
			return i
		}
		return len(order)
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(x, y), cmp.Compare(a, b))
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
}
