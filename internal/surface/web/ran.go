package web

import (
	"upkeep/internal/capability/report"
	"upkeep/internal/control"
	"upkeep/internal/journal"
)

// ran is a run as lists show it.
func (s *site) ran(p *page, run journal.Run) ran {
	v := ran{Run: run.ID, Verb: run.Verb, Job: control.JobOf(run), Verdict: run.Verdict, Exit: run.Exit, Started: moment{run.Started},
		Ended: endOf(run), State: ended, Summary: p.summary(run)}
	if run.Finished.IsZero() {
		v.State, v.Verdict, v.Took = s.state(run), "unknown", p.now.Sub(run.Started).Seconds()
	} else {
		v.Took = run.Finished.Sub(run.Started).Seconds()
	}
	return v
}

// state tells a run that goes on from one that was left.
func (s *site) state(run journal.Run) string {
	alive, err := s.System.Alive(run.ID)
	if err != nil {
		s.Log.Warn("run not looked for", "run", run.ID, "error", err)
	}
	if alive {
		return running
	}
	return left
}

// summary is a run in one line. A job's is that of its verbs.
func (p *page) summary(run journal.Run) string {
	if run.Verb != "run" {
		return p.report.Summary(report.Of(run, nil).Sections[0])
	}
	var verbs []any
	for _, step := range run.Steps {
		id, how := "step-done", ""
		switch {
		case step.Skipped:
			id = "step-skipped"
		case step.Exit != 0:
			id, how = "step-other", p.exitWords(step.Exit)
		}
		verbs = append(verbs, p.say(id, "verb", step.Verb, "how", how))
	}
	return p.say("list", "of", verbs)
}
