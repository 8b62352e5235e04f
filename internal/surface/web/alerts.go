package web

import (
	"cmp"
	"context"
	"slices"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
	"upkeep/internal/service"
)

// alertsView is what rules say, what is kept quiet, and what is wrong with the rules.
type alertsView struct {
	Active     []alertView       `json:"active"` // worst first
	Suppressed []alertView       `json:"suppressed"`
	Silences   []silenceView     `json:"silences"`
	Rules      []ruleView        `json:"rules"`
	Lint       []lintView        `json:"lint"`
	Error      *report.ErrorView `json:"error"`

	unmeasured bool // this process evaluates no rules
}

type alertView struct {
	Name        string            `json:"name"`
	Severity    service.Severity  `json:"severity"`
	Target      string            `json:"target,omitempty"`
	Summary     string            `json:"summary"`
	Detail      string            `json:"description"`
	Labels      map[string]string `json:"labels"`
	Since       moment            `json:"since"`
	Runbook     string            `json:"runbook,omitempty"`
	SilencedBy  []string          `json:"silenced_by"`
	InhibitedBy []string          `json:"inhibited_by"`
	MutedBy     []string          `json:"muted_by"`
}

type silenceView struct {
	ID       string   `json:"id"`
	By       string   `json:"by"`
	Why      string   `json:"comment"`
	Matchers []string `json:"matchers"`
	From     moment   `json:"from"`
	Until    moment   `json:"until"`
}

type ruleView struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	Expr  string `json:"expr"`
	State string `json:"state"`
	Error string `json:"error,omitempty"`
	At    moment `json:"evaluated"`
}

type lintView struct {
	Rule    string `json:"rule"`
	Place   string `json:"place"`
	Missing string `json:"missing"`
	What    string `json:"what"`
	Nearest string `json:"nearest,omitempty"`
}

func (s *site) alerts(ctx context.Context, p *page) (any, templ.Component, error) {
	all, err := s.System.Alerts(ctx)
	v := alertsView{Active: []alertView{}, Suppressed: []alertView{}, Silences: []silenceView{}, Rules: []ruleView{}, Lint: []lintView{},
		Error: p.trouble(err), unmeasured: unsupported(err)}
	v.fill(all)
	p.part, p.title, p.refresh = "alerts", p.say("nav-alerts"), homeEvery
	return v, alertsPage(p, v), nil
}

func (v *alertsView) fill(all Alerts) {
	for _, a := range all.Alerts {
		one := alertView{a.Name, a.Severity, a.Target, a.Summary, a.Detail, a.Labels, moment{a.Since}, a.Runbook, list(a.SilencedBy), list(a.InhibitedBy), list(a.MutedBy)}
		if a.Quiet() {
			v.Suppressed = append(v.Suppressed, one)
		} else {
			v.Active = append(v.Active, one)
		}
	}
	worst := func(a, b alertView) int {
		return cmp.Or(cmp.Compare(weight(a.Severity), weight(b.Severity)), b.Since.Compare(a.Since.Time))
	}
	slices.SortStableFunc(v.Active, worst)
	slices.SortStableFunc(v.Suppressed, worst)
	for _, s := range all.Silences {
		v.Silences = append(v.Silences, silenceView{s.ID, s.By, s.Why, list(s.Matchers), moment{s.From}, moment{s.Until}})
	}
	for _, r := range all.Rules {
		v.Rules = append(v.Rules, ruleView{r.Name, r.Group, r.Expr, r.State, r.Error, moment{r.At}})
	}
	slices.SortStableFunc(v.Rules, func(a, b ruleView) int { return cmp.Compare(a.weight(), b.weight()) })
	for _, l := range all.Lint {
		v.Lint = append(v.Lint, lintView(l))
	}
}

// list is never null in JSON.
func list(of []string) []string {
	if of == nil {
		return []string{}
	}
	return of
}

// weight puts rules first that need somebody.
func (r ruleView) weight() int {
	switch {
	case r.Error != "":
		return 0
	case r.State == "firing":
		return 1
	case r.State == "pending":
		return 2
	}
	return 3
}

// verdict is the shape of a rule: one that cannot be evaluated says nothing.
func (r ruleView) verdict() service.Severity {
	switch {
	case r.Error != "" || r.State == "":
		return service.Unknown
	case r.State == "firing":
		return service.Critical
	case r.State == "pending":
		return service.Warning
	}
	return service.OK
}

// state is the rule's as it is shown.
func (r ruleView) state() string {
	switch {
	case r.Error != "":
		return "broken"
	case r.State == "firing" || r.State == "pending" || r.State == "inactive":
		return r.State
	}
	return "unknown"
}

// why says what keeps an alert quiet.
func (a alertView) why(p *page) string {
	switch {
	case len(a.SilencedBy) > 0:
		return p.say("silenced-by", "by", anys(a.SilencedBy))
	case len(a.InhibitedBy) > 0:
		return p.say("inhibited-by", "by", anys(a.InhibitedBy))
	case len(a.MutedBy) > 0:
		return p.say("muted-by", "by", anys(a.MutedBy))
	}
	return ""
}

func anys(texts []string) (all []any) {
	for _, t := range texts {
		all = append(all, t)
	}
	return all
}
