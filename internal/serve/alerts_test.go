package serve_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/serve"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
)

// TestFindingsAreAlertsWithLabelsThatLast: what a check says again is the same alert,
// whatever was measured.
func TestFindingsAreAlertsWithLabelsThatLast(t *testing.T) {
	texts, err := control.Texts(all.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	app := control.Open(&config.Config{System: "shop", Base: t.TempDir(), State: t.TempDir()},
		control.Options{Kinds: all.Kinds(), Getenv: func(string) string { return "" }, Now: time.Now, Words: texts.Words("zh")})
	run := func(used int) journal.Run {
		return journal.Run{System: "shop", Started: time.Now(), Targets: []journal.Target{
			{Target: "db", Findings: []journal.Finding{
				{ID: "postgres.connections-high", Severity: service.Critical, Args: service.Args{"used": used, "limit": 100}, Since: time.Now().Add(-time.Hour)},
				{ID: "postgres.table-bloat", Severity: service.Warning, Subject: "orders", Since: time.Now()},
				{ID: "postgres.table-bloat", Severity: service.Warning, Subject: "accepted", Waived: "known", Since: time.Now()},
				{ID: "postgres.unsure", Severity: service.Unknown, Since: time.Now()},
			}},
			{Target: "web", Error: &journal.Problem{ID: "error.unreachable", Detail: "refused"}},
			{Target: "upkeep", Findings: []journal.Finding{{ID: "upkeep.receiver-fails", Severity: service.Critical, Since: time.Now()}}},
		}}
	}
	until := time.Now().Add(time.Minute)
	first, second := serve.FindingAlerts(app, run(97), until), serve.FindingAlerts(app, run(98), until)
	if len(first) != 3 {
		t.Fatalf("%d alerts: %+v", len(first), first)
	}
	for i, one := range first {
		for name, value := range one.Labels {
			if second[i].Labels[name] != value {
				t.Errorf("label %s changes from %q to %q", name, value, second[i].Labels[name])
			}
		}
	}
	if one := first[0]; one.Labels["alertname"] != "postgres.connections-high" || one.Labels["target"] != "db" || one.Labels["severity"] != "critical" ||
		!strings.Contains(one.Annotations["summary"], "97") || one.Annotations["runbook"] != "docs/runbooks/postgres.connections-high.md" || one.Annotations["description"] == "" {
		t.Errorf("first: %+v", one)
	}
	if one := first[2]; one.Labels["alertname"] != "error.unreachable" || one.Labels["target"] != "web" || one.Labels["severity"] != "warning" {
		t.Errorf("target that does not answer: %+v", one)
	}
}
