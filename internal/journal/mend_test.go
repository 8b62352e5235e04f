package journal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func TestTablesThatSomebodyAlteredAreNamedAndMended(t *testing.T) {
	j, path := open(t)
	run := journal.Run{ID: "r1", System: "shop", Verb: "check", Started: start}
	found := []journal.Finding{{ID: "k.x", Severity: service.Warning, Since: start}}
	target := journal.Target{Target: "db", Kind: "k", Verdict: service.Warning, Findings: found}
	plan := journal.Plan{System: "shop", Verb: "restore", Args: []byte(`{}`), Made: start}
	plan.Digest = journal.Digest(plan)
	err := errors.Join(j.Begin(t.Context(), run), j.SaveTarget(t.Context(), "r1", target), j.SavePlan(t.Context(), plan),
		j.Approve(t.Context(), plan.Digest, "li"), j.Note(t.Context(), "shop", "kept", nil))
	run.Finished, run.Targets = start.Add(time.Second), []journal.Target{target}
	if err = errors.Join(err, j.Finish(t.Context(), run)); err != nil {
		t.Fatal(err)
	}
	mend := func() string {
		t.Helper()
		altered, err := j.Mend(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(altered, " ")
	}
	if altered := mend(); altered != "" {
		t.Errorf("altered before anybody did: %s", altered)
	}
	for table, statement := range map[string]string{
		"runs":     `UPDATE runs SET body = replace(body, 'warning', 'ok')`,
		"plans":    `UPDATE plans SET body = replace(body, '"li"', '"wang"')`,
		"notes":    `DELETE FROM notes`,
		"results":  `UPDATE results SET told = 0`,
		"findings": `DELETE FROM findings`,
	} {
		tamper(t, path, statement)
		if altered := mend(); altered != table {
			t.Errorf("%s: altered %q, want %s", statement, altered, table)
		}
		if altered := mend(); altered != "" {
			t.Errorf("%s was not mended: %s", table, altered)
		}
	}
	back, err := j.Run(t.Context(), "r1")
	if err != nil || back.Targets[0].Verdict != service.Warning {
		t.Errorf("the run is %+v, %v", back, err)
	}
}
