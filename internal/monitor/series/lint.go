package series

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"upkeep/internal/nearest"
)

// What a Lint misses.
const (
	NoMetric = "metric" // nobody exports the metric
	NoLabel  = "label"  // the metric has no such label
	NoValue  = "value"  // the label has no such value: for a status that was not seen yet this may be well
)

// Lint is a rule that cannot say anything, because what it is about does not exist.
type Lint struct {
	File, Group, Rule string
	Line, Column      int    // of the metric in the file; of the expression where that is not known
	Missing           string // NoMetric, NoLabel or NoValue
	What              string // "cpu_usage_percent", `up{job="postgres"}`
	Nearest           string // what exists and is most like it; "" = nothing does
	Names             bool   // a NoValue of a label that names a thing, such as job or instance, rather than its state
	Seen              bool   // compared with what was scraped and collected, not only with what is known beforehand
}

// lintAgain is how often rules are compared with what was seen, after the first time, if there
// are more or fewer series than before; lintAnyway, if not.
const (
	lintAgain  = 10 * time.Second
	lintAnyway = 10 * time.Minute
)

// Lints are the rules that cannot say anything. Before every target was asked once they are
// judged by what is known beforehand.
func (s *Store) Lints() []Lint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.lints)
}

// lintLoaded judges the rules before anything is scraped.
func (s *Store) lintLoaded(ctx context.Context) {
	found := s.lint(ctx, s.knownBefore(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.lints = found
}

// lintUntil judges them as soon as every target was asked since the load, and again when
// something has come or gone, until ctx ends.
func (s *Store) lintUntil(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last struct {
		loaded, at time.Time
		series     uint64
	}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			loaded, asked := s.allAsked()
			count := s.count()
			again := now.Sub(last.at) >= lintAgain && count != last.series || now.Sub(last.at) >= lintAnyway
			if asked && (again || !loaded.Equal(last.loaded)) {
				s.lintSeen(ctx, loaded)
				last.loaded, last.at, last.series = loaded, now, count
			}
		}
	}
}

// count is how many series the latest samples have.
func (s *Store) count() uint64 {
	p, done := s.samples.lend()
	defer done()
	return p.head().NumSeries()
}

func (s *Store) lintSeen(ctx context.Context, loaded time.Time) {
	found := s.lint(ctx, s.seen(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil && s.state.loaded.Equal(loaded) {
		s.state.lints = found
	}
}

// allAsked tells whether there was a whole round since the declaration was loaded: of every
// target, and of the collectors that append.
func (s *Store) allAsked() (loaded time.Time, all bool) {
	s.mu.Lock()
	loaded, declared, known := s.state.loaded, len(s.state.config.ScrapeConfigs)+len(s.state.config.ScrapeConfigFiles) > 0, s.state.opt.Known != nil
	s.mu.Unlock()
	asked := 0
	for _, targets := range s.scrape.TargetsActive() {
		for _, t := range targets {
			if t.LastScrape().Before(loaded) {
				return loaded, false
			}
			asked++
		}
	}
	appended := s.appended.latest().After(loaded)
	return loaded, (asked > 0 || !declared) && (appended || !known) && (asked > 0 || appended)
}

// vocabulary is what rules may be about. A nil func cannot tell, so nothing is missed.
type vocabulary struct {
	metrics map[string]bool
	values  func(metric, label string) (known []string, sure bool)
	labels  func(metric string) []string
	seen    bool
}

// made are the metrics that Prometheus makes by itself.
var made = []string{"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
	"scrape_series_added", "scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes", "ALERTS", "ALERTS_FOR_STATE"}

// knownBefore is what collectors export, what jobs there are and what earlier samples have.
func (s *Store) knownBefore(ctx context.Context) vocabulary {
	var known Known
	s.mu.Lock()
	opt, declared := s.state.opt, s.state.config
	s.mu.Unlock()
	if opt.Known != nil {
		known = opt.Known()
	}
	jobs := known.Jobs
	if all, err := declared.GetScrapeConfigs(); err == nil {
		for _, job := range all {
			jobs = append(jobs, job.JobName)
		}
	}
	v := s.seen(ctx)
	v.seen = false
	for _, name := range slices.Concat(known.Metrics, made) {
		v.metrics[name] = true
	}
	stored := v.values
	v.labels = nil
	v.values = func(metric, label string) ([]string, bool) {
		found, _ := stored(metric, label)
		return append(found, jobs...), label == "job" && len(jobs) > 0
	}
	return v
}

// seen is what the latest samples have, some two hours back.
func (s *Store) seen(ctx context.Context) vocabulary {
	v := vocabulary{metrics: map[string]bool{}, seen: true}
	for _, name := range s.labelValues(ctx, model.MetricNameLabel) {
		v.metrics[name] = true
	}
	for _, name := range made {
		v.metrics[name] = true // those that are there only while an alert is
	}
	v.values = func(metric, label string) ([]string, bool) {
		return s.labelValues(ctx, label, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, metric)), true
	}
	v.labels = func(metric string) []string { return s.labelNames(ctx, metric) }
	return v
}

func (s *Store) labelValues(ctx context.Context, label string, of ...*labels.Matcher) []string {
	q, err := s.recent()
	if err != nil {
		return nil
	}
	defer func() { _ = q.Close() }() // was only read
	found, _, err := q.LabelValues(ctx, label, nil, of...)
	if err != nil {
		return nil
	}
	return slices.Clone(found)
}

func (s *Store) labelNames(ctx context.Context, metric string) []string {
	q, err := s.recent()
	if err != nil {
		return nil
	}
	defer func() { _ = q.Close() }() // was only read
	found, _, err := q.LabelNames(ctx, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, metric))
	if err != nil {
		return nil
	}
	return slices.Clone(found)
}

// lint judges every rule that is loaded.
func (s *Store) lint(ctx context.Context, v vocabulary) (found []Lint) {
	positions := s.loader.positions()
	groups := s.rules.RuleGroups()
	ours := s.forBuiltin(v)
	for _, g := range groups {
		for _, r := range g.Rules() {
			if recorded(r) {
				v.metrics[r.Name()], ours.metrics[r.Name()] = true, true
			}
		}
	}
	for _, g := range groups {
		v := v
		if strings.HasPrefix(g.File(), builtinPrefix) {
			v = ours
		}
		for n, r := range g.Rules() {
			if ctx.Err() != nil {
				return found
			}
			at := positions[ruleKey{g.File(), g.Name(), n}]
			for _, m := range distinct(v.missing(r.Query())) {
				l := Lint{File: g.File(), Group: g.Name(), Rule: r.Name(), Missing: m.missing, What: m.what, Nearest: m.nearest, Names: m.names, Seen: v.seen}
				l.Line, l.Column = at.of(m.word)
				found = append(found, l)
			}
		}
	}
	return found
}

// forBuiltin is what rules that come with the program are compared with: what they are about
// may be there only in some versions or states of a service, so that it is known is enough.
func (s *Store) forBuiltin(v vocabulary) vocabulary {
	s.mu.Lock()
	known := s.state.opt.Known
	s.mu.Unlock()
	ours := vocabulary{metrics: maps.Clone(v.metrics), seen: v.seen, values: func(string, string) ([]string, bool) { return nil, false }}
	if known != nil {
		for _, name := range known().Metrics {
			ours.metrics[name] = true
		}
	}
	return ours
}

// missed is one selector that selects nothing.
type missed struct {
	missing, what, nearest, word string
	names                        bool
}

// naming are labels whose values are things; other labels have values that may come yet.
var naming = []string{"job", "instance", "target", "system", "device", "mountpoint", "datname", "queue", "container", "name", "service"}

func distinct(all []missed) []missed {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(m missed) bool {
		again := seen[m.what]
		seen[m.what] = true
		return again
	})
}

// missing walks an expression. What absent() asks for may be missing; of the sides of "or"
// one is enough; and "unless" works without its right side.
func (v vocabulary) missing(e parser.Node) (all []missed) {
	switch n := e.(type) {
	case *parser.VectorSelector:
		return v.selector(n)
	case *parser.Call:
		if n.Func.Name == "absent" || n.Func.Name == "absent_over_time" {
			return nil
		}
	case *parser.BinaryExpr:
		switch n.Op {
		case parser.LOR:
			left, right := v.missing(n.LHS), v.missing(n.RHS)
			if len(left) == 0 || len(right) == 0 {
				return nil
			}
			return append(left, right...)
		case parser.LUNLESS:
			return v.missing(n.LHS)
		}
	}
	for child := range parser.ChildrenIter(e) {
		all = append(all, v.missing(child)...)
	}
	return all
}

func (v vocabulary) selector(s *parser.VectorSelector) (all []missed) {
	name := metricOf(s)
	if name == "" {
		return nil // any metric that a pattern matches
	}
	if !v.metrics[name] {
		return []missed{{missing: NoMetric, what: name, nearest: nearestName(name, slices.Sorted(maps.Keys(v.metrics))), word: name}}
	}
	for _, m := range s.LabelMatchers {
		if m.Name != model.MetricNameLabel && !m.Matches("") {
			all = append(all, v.matcher(name, m)...)
		}
	}
	return all
}

func metricOf(s *parser.VectorSelector) string {
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return s.Name
}

func (v vocabulary) matcher(metric string, m *labels.Matcher) []missed {
	values, sure := v.values(metric, m.Name)
	if !sure || slices.ContainsFunc(values, m.Matches) || v.empty(metric, values) {
		return nil
	}
	what := metric + "{" + m.String() + "}"
	if len(values) == 0 {
		near := nearestName(m.Name, slices.DeleteFunc(v.labels(metric), func(l string) bool { return l == model.MetricNameLabel }))
		return []missed{{missing: NoLabel, what: what, nearest: near, word: m.Name}}
	}
	near := nearestName(m.Value, values)
	if near != "" {
		near = metric + "{" + m.Name + "=\"" + near + "\"}"
	}
	return []missed{{missing: NoValue, what: what, nearest: near, word: cmp.Or(m.Value, m.Name), names: slices.Contains(naming, m.Name)}}
}

// empty tells of a metric that may come and has no series yet, such as ALERTS.
func (v vocabulary) empty(metric string, values []string) bool {
	return len(values) == 0 && (v.labels == nil || len(v.labels(metric)) == 0)
}

// nearestName is the name that shares most words with what is looked for, and of those the one
// that takes the fewest changes of letters.
func nearestName(word string, known []string) (best string) {
	score, letters := -1.0, 0
	for _, name := range known {
		s, d := likeness(word, name), nearest.Distance(word, name)
		if s > score || s == score && d < letters {
			best, score, letters = name, s, d
		}
	}
	return best
}

// likeness is the share of common words, from 0 to 1.
func likeness(a, b string) float64 {
	left, right := words(a), words(b)
	common := 0
	for w := range left {
		if right[w] {
			common++
		}
	}
	return float64(common) / float64(len(left)+len(right)-common)
}

func words(name string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("_-:./ ", r) }) {
		all[strings.TrimSuffix(w, "s")] = true
	}
	return all
}
