package serve

import (
	"maps"
	"testing"
)

func TestAnAlertIsInTheReadersLanguage(t *testing.T) {
	rule := map[string]string{"summary": "full", "summary_zh": "已满", "runbook": "r.md", "note_zh": "只有中文"}
	for language, want := range map[string]map[string]string{
		"en": {"summary": "full", "runbook": "r.md", "note_zh": "只有中文"},
		"zh": {"summary": "已满", "runbook": "r.md", "note_zh": "只有中文"},
	} {
		if got := inLanguage(language, rule); !maps.Equal(got, want) {
			t.Errorf("in %s: %v", language, got)
		}
	}
}
