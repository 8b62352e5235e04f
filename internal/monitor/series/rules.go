package series

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"upkeep/internal/diag"
)

// builtinPrefix is before the names of rule files that come with the program.
const builtinPrefix = "builtin:"

// Times of Prometheus' own flags.
const (
	outageTolerance = time.Hour        // for: goes on over a stop of this process that was shorter
	graceOfFor      = 10 * time.Minute // and waits at least so long after it
	resendAfter     = time.Minute      // of alerts that go on firing
)

func (s *Store) buildRules(life context.Context, declared *config.Config) {
	s.judging, s.asked = newEngine(s.opt.Log, nil), newEngine(s.opt.Log, queue(askedAtOnce))
	s.loader = newLoader(s.opt.Log)
	s.rules = rules.NewManager(&rules.ManagerOptions{
		NameValidationScheme: declared.GlobalConfig.MetricNameValidationScheme,
		ExternalURL:          s.external(),
		QueryFunc:            rules.EngineQueryFunc(s.judging, s.storage),
		NotifyFunc:           rules.SendAlerts(sender{s}, s.opt.External),
		Context:              life,
		Appendable:           s.storage,
		Queryable:            s.samples,
		Logger:               quiet(s.opt.Log, "rules"),
		Registerer:           s.registry,
		OutageTolerance:      outageTolerance,
		ForGracePeriod:       graceOfFor,
		ResendDelay:          resendAfter,
		GroupLoader:          s.loader,
		DefaultRuleQueryOffset: func() time.Duration {
			s.mu.Lock()
			defer s.mu.Unlock()
			return time.Duration(s.state.config.GlobalConfig.RuleQueryOffset)
		},
		RestoreNewRuleGroups: true,
		Parser:               s.loader.parser,
	})
}

// loadRules takes every rule that can be taken; Refused tells of the others.
func (s *Store) loadRules(c *config.Config) error {
	s.mu.Lock()
	opt := s.state.opt
	s.mu.Unlock()
	files := s.loader.begin(opt, c.RuleFiles)
	return s.rules.Update(time.Duration(c.GlobalConfig.EvaluationInterval), files, c.GlobalConfig.ExternalLabels, s.opt.External, nil)
}

// Refusal is a rule, or a whole file where Rule is empty, that is not evaluated.
type Refusal struct {
	File, Group, Rule string
	Line, Column      int // 0 where it is not known
	Reason            string
	Kept              bool // what the file held before is still evaluated
}

// Refused are the rules that could not be loaded.
func (s *Store) Refused() []Refusal { return s.loader.refusals() }

func (r Refusal) problem() diag.Problem {
	p := diag.Problem{File: r.File, Line: r.Line, Column: max(r.Column, min(r.Line, 1)), Format: "is refused by Prometheus: %s", Args: []any{r.Reason}}
	if r.Rule != "" {
		p.Format, p.Args = "rule %s of group %s is left out: %s", []any{r.Rule, r.Group, r.Reason}
	}
	return p
}

// loader reads rules one by one: a mistake in one does not take the others away.
type loader struct {
	parser parser.Parser
	log    *slog.Logger

	mu      sync.Mutex
	builtin map[string][]byte
	inForce map[string]loaded // by file
	last    map[string]loaded // of each file, that was in force
	refused []Refusal
}

func newLoader(log *slog.Logger) *loader {
	return &loader{parser: parser.NewParser(parser.Options{}), log: log, last: map[string]loaded{}}
}

// loaded is a file's text and the rules of it that are evaluated.
type loaded struct {
	text   []byte // nil: the whole file is wrong
	groups *rulefmt.RuleGroups
	left   map[ruleNumber]bool // out, because they are wrong
}

// ruleNumber is the place of a rule in its file, from 0.
type ruleNumber struct {
	group  string
	number int
}

// begin names the files of a load.
func (l *loader) begin(opt Options, patterns []string) (files []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.builtin, l.refused, l.inForce = opt.Builtin, nil, map[string]loaded{}
	for name := range opt.Builtin {
		files = append(files, builtinPrefix+name)
	}
	for _, pattern := range slices.Concat(patterns, opt.Rules) {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 && !strings.ContainsAny(pattern, `*?[`) {
			found = []string{pattern} // is refused with the reason when it is read
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func (l *loader) Parse(expr string) (parser.Expr, error) { return l.parser.ParseExpr(expr) }

// Load never fails: what is wrong is left out. What the file held before stays in force
// instead, if it was without a mistake, or if now the whole file is wrong.
func (l *loader) Load(file string, _ bool, names model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, failed := l.parse(file, names)
	before, known := l.last[file]
	kept := known && len(failed) > 0 && (now.text == nil || len(before.left) == 0)
	if kept {
		now = before
	}
	l.refuse(file, failed, kept)
	l.inForce[file] = now
	if now.text != nil {
		l.last[file] = now
	}
	return now.groups, nil
}

func (l *loader) parse(file string, names model.ValidationScheme) (loaded, []error) {
	text, err := l.read(file)
	if err != nil {
		return loaded{groups: &rulefmt.RuleGroups{}}, []error{err}
	}
	groups, failed := rulefmt.Parse(text, false, names, l.parser, l.log)
	if len(failed) > 0 {
		return l.rest(text, groups, failed), failed
	}
	return loaded{text: text, groups: groups}, nil
}

func (l *loader) read(file string) ([]byte, error) {
	if name, ok := strings.CutPrefix(file, builtinPrefix); ok {
		return l.builtin[name], nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.New(cause(err))
	}
	return text, nil
}

func (l *loader) refuse(file string, failed []error, kept bool) {
	for _, err := range failed {
		r := refusal(file, err)
		r.Kept = kept
		if !slices.Contains(l.refused, r) { // a file that is no YAML is told of twice
			l.refused = append(l.refused, r)
		}
	}
}

// rest is what is evaluated of a file with mistakes: the rules without one, unless the file
// is wrong as a whole.
func (l *loader) rest(text []byte, groups *rulefmt.RuleGroups, failed []error) loaded {
	now := loaded{text: text, groups: groups, left: map[ruleNumber]bool{}}
	for _, err := range failed {
		rule := (*rulefmt.Error)(nil)
		if groups == nil || !errors.As(err, &rule) {
			return loaded{groups: &rulefmt.RuleGroups{}}
		}
		now.left[ruleNumber{rule.Group, rule.Rule - 1}] = true
	}
	for i := range groups.Groups {
		g := &groups.Groups[i]
		var right []rulefmt.Rule
		for n, r := range g.Rules {
			if !now.left[ruleNumber{g.Name, n}] {
				right = append(right, r)
			}
		}
		g.Rules = right
	}
	return now
}

// refusal takes an error of rulefmt apart: "LINE:COLUMN: group …: reason".
func refusal(file string, err error) Refusal {
	r := Refusal{File: file, Reason: err.Error()}
	if rule := (*rulefmt.Error)(nil); errors.As(err, &rule) {
		r.Group, r.Rule = rule.Group, cmp.Or(rule.RuleName, "#"+strconv.Itoa(rule.Rule))
		r.Reason = rule.Err.Error()
	}
	if _, err := fmt.Sscanf(r.Reason, "%d:%d: ", &r.Line, &r.Column); err == nil {
		_, r.Reason, _ = strings.Cut(r.Reason, ": ")
	} else if at := atLine.FindStringSubmatch(r.Reason); at != nil {
		r.Line, _ = strconv.Atoi(at[1]) // digits
	}
	return r
}

func (l *loader) refusals() []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.refused)
}

// Rule is one that is evaluated.
type Rule struct {
	File, Group, Name string
	Alert             bool // else it records
	Expr              string
	Health            string // ok, err or unknown: not yet evaluated
	Err               string
	State             string // of an alert: inactive, pending or firing
	Active            int    // alerts that are pending or firing
	Evaluated         time.Time
	Took              time.Duration
}

// Rules are all that are evaluated, by file and group.
func (s *Store) Rules() (all []Rule) {
	for _, g := range s.rules.RuleGroups() {
		for _, r := range g.Rules() {
			all = append(all, rule(g, r))
		}
	}
	return all
}

func rule(g *rules.Group, r rules.Rule) Rule {
	d := Rule{File: g.File(), Group: g.Name(), Name: r.Name(), Expr: r.Query().String(), Health: string(r.Health()),
		Evaluated: r.GetEvaluationTimestamp(), Took: r.GetEvaluationDuration()}
	if err := r.LastError(); err != nil {
		d.Err = err.Error()
	}
	if alert, ok := r.(*rules.AlertingRule); ok {
		d.Alert, d.State, d.Active = true, alert.State().String(), alert.ActiveAlertsCount()
	}
	return d
}

// Limits of what is asked of samples.
const (
	askedAtOnce = 4       // queries of people
	maxSamples  = 5000000 // that one query may hold in memory, 16 bytes each
	maxAsking   = 30 * time.Second
	lookback    = 5 * time.Minute // that a sample counts if no newer one is there
)

func newEngine(log *slog.Logger, q promql.QueryTracker) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{Logger: log, MaxSamples: maxSamples, Timeout: maxAsking, ActiveQueryTracker: q,
		LookbackDelta: lookback, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() }, Parser: parser.NewParser(parser.Options{})})
}

// turns lets a few queries go on at once; the others wait.
type turns chan struct{}

func queue(n int) turns { return make(turns, n) }

func (t turns) GetMaxConcurrent() int { return cap(t) }

func (t turns) Insert(ctx context.Context, _ string) (int, error) {
	select {
	case t <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (t turns) Delete(int) { <-t }

func (t turns) Close() error { return nil }
