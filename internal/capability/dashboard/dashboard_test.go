package dashboard_test

import (
	"encoding/json"
	"strings"
	"testing"

	"upkeep/internal/capability/dashboard"
	"upkeep/internal/control"
	"upkeep/internal/service/all"
)

func TestPanelsOfKindsAreWhole(t *testing.T) {
	texts := map[string][]byte{"upkeep": control.SelfPanels()}
	for _, kind := range all.Kinds().Kinds() {
		if texts[kind.Name()] = kind.Panels(); kind.Offers("collect") && len(kind.Panels()) == 0 {
			t.Errorf("%s has no panels", kind.Name())
		}
	}
	for name, text := range texts {
		panels, err := dashboard.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range panels {
			if p.Title["en"] == "" || p.Title["zh"] == "" || p.Unit == "" || p.Legend == "" || !strings.Contains(p.Query, "$system") {
				t.Errorf("%s: %+v lacks something", name, p)
			}
		}
	}
}

func TestADashboardIsWhatGrafanaImports(t *testing.T) {
	d := dashboard.Dashboard{UID: "upkeep-redis", Title: "upkeep: redis", Language: "zh", Job: "redis", Panels: []dashboard.Panel{
		{Title: map[string]string{"en": "Memory", "zh": "内存"}, Unit: "bytes", Legend: "{{target}}", Query: "redis_memory_used_bytes{target=~\"$target\"}"}}}
	text, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		UID    string
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr, RefID string }
		}
		Templating struct{ List []struct{ Name, Type string } }
	}
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	if made.UID != d.UID || len(made.Panels) != 1 || made.Panels[0].Type != "timeseries" || made.Panels[0].Title != "内存" ||
		made.Panels[0].Targets[0].Expr != d.Panels[0].Query || len(made.Templating.List) != 3 {
		t.Errorf("made %+v of\n%s", made, text)
	}
}
