package report_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/catalogue"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func TestEveryFormatIsWritten(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "report", Text: report.Words()})
	if err != nil {
		t.Fatal(err)
	}
	run := journal.Run{ID: "r", System: "demo", Verb: "check", Started: time.Unix(0, 0).UTC(),
		Targets: []journal.Target{{Target: "<script>", Findings: []journal.Finding{{ID: "x.y", Severity: service.Critical}}}}}
	for _, format := range []string{"text", "md", "html", "json"} {
		var b strings.Builder
		if err := report.Write(&b, report.Of(run, nil), format, words.Words("en"), time.Unix(0, 0)); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if !strings.Contains(b.String(), "demo") {
			t.Errorf("%s does not name the system:\n%s", format, b.String())
		}
		if format != "text" && strings.Contains(b.String(), "<script") {
			t.Errorf("%s lets a name become markup:\n%s", format, b.String())
		}
	}
}
