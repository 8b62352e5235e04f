package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// with changes one run.
func with(run journal.Run, change func(*journal.Run)) journal.Run {
	change(&run)
	return run
}

func differing(r *journal.Run) {
	r.Proof = nil
	r.Targets[1].Verdict = service.Critical
	r.Targets[1].Findings = []journal.Finding{found("differs", service.Critical, "files", r.Started, service.Args{"now": 1, "promised": 2})}
}

func unanswered(r *journal.Run) {
	r.Proof = nil
	r.Targets[1].Findings = []journal.Finding{found("wait", service.Unknown, "", r.Started, nil)}
}

func noScratch(r *journal.Run) {
	r.Proof = nil
	r.Targets[1].Error = problem("error.no-scratch", "initdb is not installed", 3)
}

func damaged(r *journal.Run) {
	r.Targets[0].Findings = []journal.Finding{found("differs", service.Critical, "part", r.Started, nil)}
}

func unreadable(r *journal.Run) {
	r.Error = problem("error.unreachable", "open the repository: no such host", 3)
}

func partly(r *journal.Run) {
	r.Point = ""
	r.Targets[0].Error = problem("error.unreachable", "refused", 3)
}

func nothing(r *journal.Run) {
	r.Point = ""
	for i := range r.Targets {
		r.Targets[i].Error = problem("error.unreachable", "refused", 3)
	}
}

func lacking(r *journal.Run) {
	r.Targets[0].Findings = []journal.Finding{found("wait", service.Warning, "", r.Started, nil)}
}

func short(r *journal.Run) {
	r.Targets[0].Findings = []journal.Finding{{ID: "backup.space-short", Severity: service.Warning, Since: r.Started}}
}

func unproven(r *journal.Run) { r.Proof = nil }

func accepted(r *journal.Run) {
	unanswered(r)
	r.Targets[1].Findings[0].Waived = "known"
}

func killed(r *journal.Run) { r.Finished, r.Proof, r.Point = time.Time{}, nil, "" }

func sampled(r *journal.Run) {
	r.Args = json.RawMessage(`{"verb":"verify","sample":0.05}`)
}

func other(r *journal.Run) { r.Point = "20261120T020000-old0" }

func restoring(steps ...string) journal.Run {
	r := run("restore", "03:00:00", time.Minute, fine("db", "postgres", nil))
	r.Point = "P"
	for _, id := range steps {
		r.Steps = append(r.Steps, journal.Step{ID: id})
	}
	return r
}

// depending is a restore after which a target that depends on it was judged.
func depending(verdict service.Severity) journal.Run {
	r := restoring("put-back db", "compare db", "healthy api")
	r.Targets = append(r.Targets, journal.Target{Target: "api", Kind: "endpoint", Verdict: verdict,
		Findings: []journal.Finding{{ID: "endpoint.slow", Severity: verdict}}})
	return r
}

func TestTheLastLineClaimsWhatWasShownAndNoMore(t *testing.T) {
	backup, verify, drill := backedUp, verified, drilled
	for _, c := range []struct {
		name string
		runs []journal.Run
		want string
	}{
		{"a check says nothing of copies", []journal.Run{checked()}, ""},
		{"proven", []journal.Run{backup(), verify(), drill()},
			"This copy is proven. You could lose at most the work since 02:00 and be back within 4 min."},
		{"a warning about room takes nothing from the proof", []journal.Run{with(backup(), short), verify(), drill()}, "This copy is proven. "},
		{"proven, but the copy lacks something", []journal.Run{with(backup(), lacking), verify(), drill()}, "This copy is proven, but lacks"},
		{"proven, yet bytes are damaged", []journal.Run{backup(), with(verify(), damaged), drill()}, "was restored and found equal, yet verify found damaged bytes"},
		{"an older copy is proven", []journal.Run{backup(), with(drill(), other)}, "Copy 20261120T020000-old0 is proven."},
		{"a newer copy is not", []journal.Run{backup(), with(drill(), other)}, "The newer copy 20261122T020001-ba is not yet shown to restore"},
		{"proven, and the newest backup failed", []journal.Run{with(backup(), nothing), drill()}, "The newest backup gave no complete copy"},
		{"drilled but differs", []journal.Run{backup(), verify(), with(drill(), differing)}, "is NOT proven: the drill found that it does not restore"},
		{"an assertion without an answer", []journal.Run{backup(), verify(), with(drill(), unanswered)}, "was restored, but is not proven: 1 finding stands against it"},
		{"no scratch server for one store", []journal.Run{backup(), verify(), with(drill(), noScratch)}, "Unknown whether this copy restores: db could not be drilled."},
		{"no drill at all", []journal.Run{backup(), verify(), with(drill(), func(r *journal.Run) { unproven(r); unreadable(r) })},
			"Unknown whether this copy restores: the drill could not take place."},
		{"what was found is accepted", []journal.Run{backup(), with(drill(), accepted)}, "not proven: what was found is accepted, not mended"},
		{"only a part was drilled", []journal.Run{backup(), with(drill(), unproven)}, "the copy as a whole is not proven"},
		{"the drill was killed", []journal.Run{backup(), verify(), with(drill(), killed)}, "This copy is not proven: its drill has not ended."},
		{"damage outweighs a drill that proved nothing", []journal.Run{backup(), with(verify(), damaged), with(drill(), unanswered)}, "is damaged. Do not rely on it"},
		{"read back only", []journal.Run{backup(), verify()}, "Every byte of this copy can be read, but nothing has restored it yet."},
		{"a sample was read", []journal.Run{backup(), with(verify(), sampled)}, "A sample of this copy can be read (5 % of its parts)"},
		{"damaged", []journal.Run{backup(), with(verify(), damaged)}, "Copy 20261122T020001-ba is damaged."},
		{"could not be read", []journal.Run{backup(), with(verify(), unreadable)}, "Unknown whether this copy is whole"},
		{"verify was killed", []journal.Run{with(verify(), func(r *journal.Run) { r.Finished = time.Time{} })}, "its verification has not ended"},
		{"an older copy was read back", []journal.Run{backup(), with(verify(), other)}, "Copied as 20261122T020001-ba, but not yet shown to restore."},
		{"only copied", []journal.Run{backup()}, "Copied as 20261122T020001-ba, but not yet shown to restore."},
		{"copied without something", []journal.Run{with(backup(), lacking)}, "without what is listed above"},
		{"one store is missing", []journal.Run{with(backup(), partly)}, "No complete copy was taken: db is missing. The rest can be restored one by one from 20261122T020001-ba."},
		{"nothing was copied", []journal.Run{with(backup(), nothing)}, "No copy was taken."},
		{"the backup was killed", []journal.Run{with(backup(), killed)}, "There is no copy of this run: its backup has not ended."},
		{"restored and compared", []journal.Run{restoring("backup db", "put-back db", "compare db")}, "Restored from P, compared and equal. What was there before is kept: upkeep undo 20261122T030000-re"},
		{"restored, and what depends on it has a warning", []journal.Run{depending(service.Warning)}, "Restored from P, compared and equal."},
		{"restored, and what depends on it does not work", []journal.Run{depending(service.Critical)}, "Restored from P, but api does not work again"},
		{"restored, and nobody knows whether what depends on it works", []journal.Run{depending(service.Unknown)}, "Restored from P, but api does not work again"},
		{"restored in part", []journal.Run{restoring("put-back db")}, "Restored from P; a part of a target is not compared."},
		{"restored over what was damaged", []journal.Run{with(restoring("backup db", "put-back db", "compare db"), lacking)}, "Restored from P and compared, with the warnings above"},
		{"the restore differs", []journal.Run{with(restoring("put-back db", "compare db"), damaged)}, "is not shown to be whole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := report.Text{Words: words(t, "en"), Now: now()}.Sentence(report.Of(job(c.runs...)))
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if zh := (report.Text{Words: words(t, "zh"), Now: now()}).Sentence(report.Of(job(c.runs...))); (zh == "") != (got == "") {
				t.Errorf("in Chinese it says %q", zh)
			}
		})
	}
}

func TestAJobThatHasNotEndedSaysSo(t *testing.T) {
	open, children := job(backedUp(), with(verified(), killed))
	open.Finished, open.Steps = time.Time{}, nil // its record is sealed at its end
	page := report.Of(open, children)
	if got := (report.Text{Words: words(t, "en")}).Sentence(page); !strings.HasPrefix(got, "This run has not ended: ") {
		t.Errorf("got %q", got)
	}
	if len(page.Sections) != 2 {
		t.Errorf("%d sections, want those of its two verbs", len(page.Sections))
	}
}

func TestASpanRemembersTheLastProof(t *testing.T) {
	failed := with(drilled(), func(r *journal.Run) {
		differing(r)
		r.Started = r.Started.Add(time.Hour)
	})
	page := report.Over("cot-studio", []journal.Run{failed, drilled(), backedUp()}, now().Add(-24*time.Hour), now())
	if got := (report.Text{Words: words(t, "en")}).Sentence(page); !strings.HasSuffix(got, "A copy was last proven at 2026-11-22 02:03 +08:00.") {
		t.Errorf("got %q", got)
	}
}

func TestASpanCountsWhatGaveNoResult(t *testing.T) {
	page := report.Over("cot-studio", []journal.Run{with(backedUp(), killed), with(backedUp(), func(r *journal.Run) { r.Exit = 4 }),
		with(checked(), func(r *journal.Run) { r.Exit = 1 }), with(checked(), func(r *journal.Run) { r.Started = r.Started.Add(-48 * time.Hour) })},
		now().Add(-24*time.Hour), now())
	want := []report.Activity{{Verb: "check", Runs: 1}, {Verb: "backup", Runs: 2, Failed: 2}}
	if len(page.Activities) != 2 || page.Activities[0] != want[0] || page.Activities[1] != want[1] {
		t.Errorf("got %v, want %v", page.Activities, want)
	}
}

func TestAgeIsShownOnlyOfWhatIsOlderThanTheRun(t *testing.T) {
	var b strings.Builder
	if err := (report.Text{Words: words(t, "en"), Now: now().Add(48 * time.Hour)}).Write(&b, broken()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "since") {
		t.Errorf("what was found for the first time has an age:\n%s", b.String())
	}
}

func TestARecordedRunReadsLikeAFreshOne(t *testing.T) {
	fresh := with(backedUp(), func(r *journal.Run) {
		r.Targets[0].Facts = service.Facts{"bytes": int64(7.5e8), "added_bytes": 40000000}
	})
	text := report.Text{Words: words(t, "en"), Now: now()}
	if a, b := text.Summary(report.Of(fresh, nil).Sections[0]), text.Summary(report.Of(recorded(t, fresh), nil).Sections[0]); a != b {
		t.Errorf("fresh %q, recorded %q", a, b)
	}
}
