package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
)

// resultsView is one summary in words.
type resultsView struct {
	Title, Lead string
	Problem     *entry // why there are no numbers
	News        []newsLine
	Grids       []grid
	Charts      []chart
	Notes       []string
}

// newsLine is one line of what is new.
type newsLine struct {
	Severity service.Severity
	Words    string
}

// How much of a summary a page shows. A sheet has all of it.
const (
	rowsShown    = 60  // of a table
	columnsShown = 12  // of a table of two dimensions
	newsShown    = 12  // lines
	foldedShown  = 300 // rows of the table by all dimensions
)

func (t Text) results(p Page) (all []resultsView) {
	for _, r := range p.Results {
		all = append(all, t.resultsOf(p, r))
	}
	return all
}

func (t Text) resultsOf(p Page, r Results) resultsView {
	v := resultsView{Title: t.say("results-title", args{"target": t.clean(r.Target), "name": t.clean(r.Summary.Name)})}
	if r.Problem != nil {
		v.Problem = t.unsummed(r)
		return v
	}
	v.Lead = t.lead(r)
	if tests(r) == 0 {
		return v
	}
	b := build{Text: t, sum: r.Summary, kind: r.Kind, past: r.Past, at: p.At, standing: r.standing(), news: r.news()}
	v.News = b.told()
	v.Charts = b.charts()
	for _, g := range b.grids() {
		if len(g.Rows) > 0 {
			v.Grids = append(v.Grids, t.scaled(g))
		}
	}
	v.Notes = b.notes()
	return v
}

// unsummed says why there are no numbers.
func (t Text) unsummed(r Results) *entry {
	title, consequence, fix := t.Words.Error(r.Problem.ID, r.Problem.Words(r.Target, ""))
	if detail := reason(r.Problem); detail != "" {
		title = t.say("with-detail", args{"title": title, "detail": detail})
	}
	return &entry{told: told{Title: title, Consequence: consequence, Fix: fix}, Target: t.clean(r.Target), Verb: "report", Severity: service.Unknown}
}

func tests(r Results) int64 {
	for _, g := range r.Summary.Table().Groups {
		return g.Trials
	}
	return 0
}

func (t Text) lead(r Results) string {
	if tests(r) == 0 {
		return t.say("results-no-tests", nil)
	}
	g := r.Summary.Table().Groups[0]
	share, known := rate(g)
	low, high := count(g).Interval()
	return t.say("results-lead", args{"tests": g.Trials, "successes": g.Successes, "known": known, "share": share, "low": low, "high": high})
}

// build makes the tables of one summary.
type build struct {
	Text
	sum      service.Summary
	kind     string
	past     []Recorded
	at       time.Time
	standing standing
	news     *news
}

// word is a dimension, an outcome or a kind of error as the target's kind calls it, or as it
// is declared.
func (b build) word(name string) string {
	if said := b.Words.Message(b.kind+".word-"+name, nil); !strings.HasPrefix(said, "!") {
		return said
	}
	return b.clean(strings.ReplaceAll(name, "_", " "))
}

func (b build) grids() []grid {
	all := []grid{b.ranking(), b.detail()}
	for _, dimension := range b.sum.By[1:] {
		all = append(all, b.dimension(dimension), b.matrix(dimension))
	}
	all = append(all, b.errors())
	if len(b.sum.By) > 2 {
		all = append(all, b.everything())
	}
	return all
}

func head(words ...string) (all []column) {
	for _, w := range words {
		all = append(all, column{Words: w})
	}
	return all
}

func numbers(words ...string) (all []column) {
	for _, w := range words {
		all = append(all, column{Words: w, Number: true})
	}
	return all
}

func (t Text) says(ids ...string) (all []string) {
	for _, id := range ids {
		all = append(all, t.say(id, nil))
	}
	return all
}

// ranking says who is best, as far as that can be told.
func (b build) ranking() grid {
	g := grid{ID: "ranking", Title: b.say("results-ranking", args{"of": b.word(b.sum.By[0])}), Left: b.left(b.standing.Left)}
	g.Head = slices.Concat(head(b.say("results-place", nil), b.word(b.sum.By[0])), numbers(b.says("results-rate", "results-tests", "results-successes")...), []column{{Words: b.say("results-between", nil), Interval: true}})
	like := slices.ContainsFunc(b.standing.Ranked, func(r ranked) bool { return r.Like != nil }) && len(b.sum.By) > 1
	if like {
		g.Head = append(g.Head, column{Words: b.say("results-like", nil), Number: true})
	}
	if b.news != nil {
		g.Head = append(g.Head, column{Words: b.say("results-new", nil)})
	}
	trends := len(b.past)+1 >= chartPoints
	if trends {
		g.Head = append(g.Head, column{Words: b.say("results-trend", nil)})
	}
	for _, r := range b.standing.Ranked {
		row := []value{b.place(r), b.name(r.Name), b.rateOf(r.Group), b.tally64(r.Trials), b.tally64(r.Successes), b.interval(r.Group)}
		if like {
			row = append(row, b.maybe(r.Like))
		}
		if b.news != nil {
			row = append(row, b.newOf(b.sum.By[0], r.Name))
		}
		if trends {
			row = append(row, b.course(r))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

func (b build) place(r ranked) value {
	if r.Best == r.Worst {
		return value{Words: fmt.Sprint(r.Best), Style: "place"}
	}
	return value{Words: fmt.Sprintf("%d–%d", r.Best, r.Worst), Style: "place"}
}

func (t Text) maybe(share *float64) value {
	if share == nil {
		return t.unsaid()
	}
	return t.share(*share, true)
}

// newOf is what was tested since the last report, and how that ended.
func (b build) newOf(dimension, name string) value {
	c, known := b.news.By[dimension][name]
	switch {
	case !known:
		return words(b.say("results-first", nil))
	case c.Lost > 0:
		return words(b.say("results-fewer", args{"n": c.Lost}))
	case c.Recounted:
		return words(b.say("results-recounted", nil))
	case c.New.Trials == 0:
		return words("–")
	}
	share, _ := c.New.Rate()
	return words(b.say("results-added", args{"n": c.New.Trials, "share": share, "moved": c.Moved, "down": c.gain() < 0}))
}

// detail tells the other outcomes and the averages of each.
func (b build) detail() grid {
	g := grid{ID: "averages", Title: b.say("results-detail", args{"of": b.word(b.sum.By[0])}), Head: head(b.word(b.sum.By[0]))}
	if len(b.sum.Counts)+len(b.sum.Means) == 0 {
		return g
	}
	g.Head = append(g.Head, numbers(b.say("results-tests", nil))...)
	g.Head = append(g.Head, b.outcomes()...)
	for _, r := range b.standing.Ranked {
		g.Rows = append(g.Rows, append([]value{b.name(r.Name), b.tally64(r.Trials)}, b.outcome(r.Group)...))
	}
	return g
}

// outcomes are the columns beside success.
func (b build) outcomes() []column {
	var names []string
	for _, name := range slices.Concat(b.sum.Counts, b.sum.Means) {
		names = append(names, b.word(name))
	}
	return numbers(names...)
}

func (b build) outcome(g service.Group) (row []value) {
	for _, n := range g.Counts {
		row = append(row, b.part(n, g.Trials))
	}
	for _, mean := range g.Means {
		row = append(row, b.mean(mean))
	}
	return row
}

// dimension tells all trials by the values of one dimension.
func (b build) dimension(name string) grid {
	table := b.sum.Table(name)
	g := grid{ID: name, Title: b.say("results-by", args{"of": b.word(name)}), Left: b.left(table.More)}
	g.Head = slices.Concat(head(b.word(name)), numbers(b.says("results-rate", "results-tests", "results-successes")...), []column{{Words: b.say("results-between", nil), Interval: true}})
	if b.news != nil {
		g.Head = append(g.Head, column{Words: b.say("results-new", nil)})
	}
	g.Head = append(g.Head, b.outcomes()...)
	for _, of := range table.Groups {
		row := []value{b.name(of.Values[0]), b.rateOf(of), b.tally64(of.Trials), b.tally64(of.Successes), b.interval(of)}
		if b.news != nil {
			row = append(row, b.newOf(name, of.Values[0]))
		}
		g.Rows = append(g.Rows, append(row, b.outcome(of)...))
	}
	return g
}

// matrix is the rate of each by the values of another dimension: the values with the most
// trials, in their own order.
func (b build) matrix(name string) grid {
	first := b.sum.By[0]
	values, left := most(b.sum.Table(name).Groups)
	g := grid{ID: first + " × " + name, Title: b.say("results-matrix", args{"first": b.word(first), "second": b.word(name)}), Head: head(b.word(first))}
	for _, v := range values {
		g.Head = append(g.Head, column{Words: b.name(v).Words, Number: true})
	}
	cells := map[string]service.Group{}
	table := b.sum.Table(first, name)
	for _, of := range table.Groups {
		cells[of.Values[0]+"\x00"+of.Values[1]] = of
	}
	for _, r := range b.standing.Ranked {
		row := []value{b.name(r.Name)}
		for _, v := range values {
			row = append(row, b.heat(cells[r.Name+"\x00"+v]))
		}
		g.Rows = append(g.Rows, row)
	}
	if table.More.Groups > 0 || left == 0 {
		g.Left = b.left(table.More)
	} else {
		g.Left = b.say("results-columns-left", args{"n": left})
	}
	return g
}

// most are the values with the most trials, in the order in which they come, and how many
// have no column.
func most(groups []service.Group) (values []string, left int) {
	most := slices.Clone(groups)
	slices.SortStableFunc(most, func(a, b service.Group) int { return cmp.Compare(b.Trials, a.Trials) })
	most = most[:min(len(most), columnsShown)]
	for _, g := range groups {
		if slices.ContainsFunc(most, func(m service.Group) bool { return m.Values[0] == g.Values[0] }) {
			values = append(values, g.Values[0])
		}
	}
	return values, len(groups) - len(values)
}

// errors tells of all errors of each which share is of which kind.
func (b build) errors() grid {
	g := grid{ID: "errors", Title: b.say("results-errors", args{"of": b.word(b.sum.By[0])})}
	if len(b.sum.Errors) == 0 {
		return g
	}
	g.Head = slices.Concat(head(b.word(b.sum.By[0])), numbers(b.say("results-errors-column", nil)))
	for _, kind := range b.sum.Errors {
		g.Head = append(g.Head, column{Words: b.word(kind), Number: true})
	}
	for _, r := range b.standing.Ranked {
		g.Rows = append(g.Rows, b.errorRow(b.name(r.Name), r.Group))
	}
	for _, all := range b.sum.Table().Groups {
		g.Rows = append(g.Rows, b.errorRow(words(b.say("results-all", nil)), all))
	}
	return g
}

func (b build) errorRow(name value, g service.Group) []value {
	row := []value{name, b.tally64(g.AllErrors)}
	for _, n := range g.Errors {
		row = append(row, b.part(n, g.AllErrors))
	}
	return row
}

// everything is the table by all dimensions.
func (b build) everything() grid {
	table := b.sum.Table(b.sum.By...)
	g := grid{ID: "all", Title: b.say("results-everything", nil), Left: b.left(table.More), Folded: true}
	for _, name := range b.sum.By {
		g.Head = append(g.Head, column{Words: b.word(name)})
	}
	g.Head = slices.Concat(g.Head, numbers(b.says("results-rate", "results-tests", "results-successes")...), []column{{Words: b.say("results-between", nil), Interval: true}}, b.outcomes())
	for _, of := range table.Groups {
		var row []value
		for _, v := range of.Values {
			row = append(row, b.name(v))
		}
		row = append(row, b.rateOf(of), b.tally64(of.Trials), b.tally64(of.Successes), b.interval(of))
		g.Rows = append(g.Rows, append(row, b.outcome(of)...))
	}
	return g
}

func (t Text) left(l service.Left) string {
	if l.Groups == 0 {
		return ""
	}
	return t.say("results-left", args{"n": l.Groups, "tests": l.Trials})
}

// shown are the rows that a page has room for, and what it says of the rest.
func (t Text) shown(g grid) grid {
	room := rowsShown
	if g.Folded {
		room = foldedShown
	}
	if len(g.Rows) > room {
		left := t.say("results-rows-left", args{"n": len(g.Rows) - room})
		g.Left = strings.Join(kept(left, g.Left), " ")
		g.Rows = g.Rows[:room]
	}
	return g
}

// told says what the last report did not know, the worst first.
func (b build) told() (lines []newsLine) {
	if b.news == nil {
		return []newsLine{{"", b.say("results-no-past", nil)}}
	}
	lines = append(lines, newsLine{"", b.overall()})
	for _, c := range b.news.Moved {
		if len(lines) > newsShown {
			return append(lines, newsLine{"", b.say("results-news-left", args{"n": len(b.news.Moved) - newsShown})})
		}
		lines = append(lines, b.moved(c))
	}
	if len(b.news.Moved) == 0 {
		lines = append(lines, newsLine{"", b.say("results-still", nil)})
	}
	return lines
}

// overall is what is new of all tests together.
func (b build) overall() string {
	last, now := b.past[len(b.past)-1], b.sum.Table().Groups[0]
	c := changed("", "", [2]int64{last.Trials, last.Successes}, now.Trials, now.Successes)
	share, known := c.New.Rate()
	return b.say("results-since", args{"since": b.Words.Time(last.At), "n": c.New.Trials, "lost": c.Lost, "recounted": c.Recounted, "known": known, "share": share})
}

func (b build) moved(c change) newsLine {
	said := args{"dimension": b.word(c.Dimension), "value": b.name(c.Value).Words, "n": c.New.Trials, "before": c.Before.Trials, "lost": c.Lost}
	said["now_share"], _ = c.New.Rate()
	said["before_share"], _ = c.Before.Rate()
	switch {
	case c.Lost > 0:
		return newsLine{service.Warning, b.say("results-was-lost", said)}
	case c.Recounted:
		return newsLine{service.Warning, b.say("results-was-recounted", said)}
	case c.gain() < 0:
		return newsLine{service.Warning, b.say("results-fell", said)}
	}
	return newsLine{service.OK, b.say("results-rose", said)}
}

func (b build) notes() []string {
	notes := []string{b.say("results-note-interval", args{"few": few})}
	if len(b.standing.Ranked) > 1 {
		id := "results-note-rank"
		if len(b.sum.By) == 1 {
			id = "results-note-rank-alone"
		}
		notes = append(notes, b.say(id, args{"common": b.standing.Common}))
	}
	if b.news != nil {
		notes = append(notes, b.say("results-note-news", nil))
	}
	return append(notes, b.say("results-note-trials", nil))
}
