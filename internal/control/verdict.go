package control

import (
	"cmp"
	"context"
	"slices"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/notify"
	"upkeep/internal/service"
)

// verdict is what a webhook gets after a job. text is what chat programs show.
type verdict struct {
	Event    string            `json:"event"` // "job"
	Text     string            `json:"text"`
	System   string            `json:"system"`
	Job      string            `json:"job"`
	Run      string            `json:"run"`
	Verdict  service.Severity  `json:"verdict"`
	Exit     int               `json:"exit_code"`
	Started  string            `json:"started"`
	Took     float64           `json:"took_s"`
	Steps    []verdictStep     `json:"steps"`
	Findings []verdictFinding  `json:"findings"` // the gravest first, at most so many
	More     int               `json:"more_findings"`
	Error    *report.ErrorView `json:"error"`
	Output   string            `json:"output,omitempty"`
}

type verdictStep struct {
	Verb    string            `json:"verb"`
	Run     string            `json:"run,omitempty"`
	Exit    int               `json:"exit_code"`
	Skipped bool              `json:"skipped,omitempty"`
	Took    float64           `json:"took_s"`
	Error   *report.ErrorView `json:"error"`
}

type verdictFinding struct {
	Target string            `json:"target"`
	Verb   string            `json:"verb"`
	Error  *report.ErrorView `json:"error,omitempty"` // what could not be told, in place of a finding
	*report.FindingView
}

// mostFindings are told by a webhook; the journal has all.
const mostFindings = 50

// putVerdict lets the verdict of a job wait for the webhook.
func (a *App) putVerdict(ctx context.Context, run journal.Run) error {
	if a.Config.Notify.Webhook.IsZero() {
		return nil
	}
	_, children, err := a.Run(ctx, run.ID)
	if err != nil {
		return err
	}
	return a.put(notify.Webhook, run.ID, a.verdictOf(run, children))
}

func (a *App) verdictOf(run journal.Run, children []journal.Run) verdict {
	page := report.Of(run, children)
	words := report.Text{Words: a.opt.Words, Now: a.opt.Now()}
	v := verdict{Event: "job", Text: words.Subject(page), System: run.System, Job: JobOf(run), Run: run.ID, Verdict: run.Verdict, Exit: run.Exit,
		Started: report.Stamp(run.Started), Took: run.Finished.Sub(run.Started).Seconds(), Steps: []verdictStep{}, Findings: []verdictFinding{},
		Error: report.ErrorOf(a.opt.Words, run.Error, "", run.ID), Output: page.Output}
	for _, s := range run.Steps {
		v.Steps = append(v.Steps, verdictStep{s.Verb, s.Run, s.Exit, s.Skipped, s.Took.Seconds(), report.ErrorOf(a.opt.Words, s.Error, "", s.Run)})
	}
	for _, child := range children {
		v.Findings = append(v.Findings, a.found(child)...)
	}
	slices.SortStableFunc(v.Findings, func(a, b verdictFinding) int { return cmp.Compare(a.gravity(), b.gravity()) })
	if v.More = max(0, len(v.Findings)-mostFindings); v.More > 0 {
		v.Findings = v.Findings[:mostFindings]
	}
	return v
}

// found are a run's open findings and errors.
func (a *App) found(run journal.Run) (all []verdictFinding) {
	for _, t := range run.Targets {
		view := report.TargetOf(a.opt.Words, t, run.ID)
		if view.Error != nil {
			all = append(all, verdictFinding{Target: t.Target, Verb: run.Verb, Error: view.Error})
		}
		for _, f := range view.Findings {
			if f.Waived == "" && f.Severity != service.OK {
				all = append(all, verdictFinding{Target: t.Target, Verb: run.Verb, FindingView: &f})
			}
		}
	}
	return all
}

func (f verdictFinding) gravity() int {
	if f.FindingView == nil {
		return 1 // it could be anything
	}
	return slices.Index([]service.Severity{service.Critical, service.Unknown, service.Warning}, f.Severity)
}

// runbook is where to read what to do about a finding.
func runbook(finding string) string { return report.Runbook(finding) }
