package web

import (
	"context"
	"fmt"
	"time"

	"upkeep/internal/monitor/alerts"
	"upkeep/internal/service"
)

// Series asks the samples.
func (l *live) Series(ctx context.Context, expr string, from, to time.Time, step time.Duration) (all []Series, err error) {
	found, err := l.process.Series().QueryRange(ctx, expr, from, to, step)
	for _, s := range found {
		one := Series{Labels: s.Labels}
		for _, p := range s.Points {
			one.Samples = append(one.Samples, Sample(p))
		}
		all = append(all, one)
	}
	return all, err
}

// Alerts are what Alertmanager holds, and the rules.
func (l *live) Alerts(ctx context.Context) (all Alerts, err error) {
	manager := l.process.Alerting()
	names := map[string]string{} // of alerts, by fingerprint
	active := manager.Active(ctx)
	for _, a := range active {
		names[a.Fingerprint] = a.Labels["alertname"]
	}
	for _, a := range active {
		all.Alerts = append(all.Alerts, alertOf(a, names))
	}
	silences, err := manager.Silences(ctx)
	for _, s := range silences {
		if s.State != "expired" {
			all.Silences = append(all.Silences, Silence{ID: s.ID, By: s.By, Why: s.Comment, Matchers: s.Matchers, From: s.Starts, Until: s.Ends})
		}
	}
	all.Rules, all.Lint = l.rules()
	return all, err
}

func alertOf(a alerts.Active, names map[string]string) Alert {
	one := Alert{Name: a.Labels["alertname"], Severity: graveness(a.Labels["severity"]), Target: a.Labels["target"], Summary: a.Annotations["summary"],
		Detail: a.Annotations["description"], Labels: a.Labels, Since: a.StartsAt, Runbook: a.Annotations["runbook"], SilencedBy: a.SilencedBy}
	if one.Runbook == "" {
		one.Runbook = a.Annotations["runbook_url"]
	}
	for _, by := range a.InhibitedBy {
		name, known := names[by]
		if !known {
			name = by
		}
		one.InhibitedBy = append(one.InhibitedBy, name)
	}
	if a.State == "suppressed" && !one.Quiet() {
		one.MutedBy = []string{a.State}
	}
	return one
}

// graveness reads the label by which rules usually say it.
func graveness(label string) service.Severity {
	switch label {
	case "critical", "page", "error":
		return service.Critical
	case "warning", "warn":
		return service.Warning
	case "info", "none", "ok":
		return service.OK
	}
	return service.Unknown
}

// rules are those that are evaluated, those that are not, and what is wrong with them.
func (l *live) rules() (rules []Rule, lint []Lint) {
	store := l.process.Series()
	for _, r := range store.Refused() {
		rules = append(rules, Rule{Name: r.Rule, Group: r.Group, Expr: place(r.File, r.Line), Error: r.Reason})
	}
	for _, r := range store.Rules() {
		if r.Alert {
			rules = append(rules, Rule{Name: r.Name, Group: r.Group, Expr: r.Expr, State: r.State, Error: r.Err, At: r.Evaluated})
		}
	}
	for _, one := range store.Lints() {
		lint = append(lint, Lint{Rule: one.Rule, Place: place(one.File, one.Line), Missing: one.Missing, What: one.What, Nearest: one.Nearest})
	}
	return rules, lint
}

func place(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
