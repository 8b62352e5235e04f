package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"upkeep/internal/capability/report"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/notify"
	"upkeep/internal/service"
)

// putErrors lets an error event wait for each run that failed, and for each step of a job
// that never became a run.
func (a *App) putErrors(ctx context.Context, run journal.Run) (told bool, err error) {
	if a.Config.Notify.Sentry.IsZero() {
		return false, nil
	}
	events := a.failures(run, "")
	if run.Verb == "run" {
		_, children, err := a.Run(ctx, run.ID)
		if err != nil {
			return false, err
		}
		events = a.failuresOfJob(run, children)
	}
	var errs []error
	for _, e := range events {
		errs = append(errs, a.put(notify.Sentry, e.ID, e))
	}
	return len(events) > 0, errors.Join(errs...)
}

// failed reports whether an exit code is that of a run that did not do its work. What was
// found, refused or interrupted is none of a tracker's errors.
func failed(exit int) bool {
	return slices.Contains([]int{engine.ExitUnknown, engine.ExitFailed, engine.ExitPartly}, exit)
}

func (a *App) failuresOfJob(run journal.Run, children []journal.Run) (events []notify.ErrorEvent) {
	job := JobOf(run)
	ran := map[string]bool{}
	for _, child := range children {
		ran[child.ID] = true
		events = append(events, a.failures(child, job)...)
	}
	for _, s := range run.Steps {
		if !ran[s.Run] && !s.Skipped && s.Error != nil && failed(s.Exit) {
			events = append(events, a.event(run, job, s.Verb, s.Exit, []trouble{{problem: s.Error}}))
		}
	}
	if run.Error != nil && failed(run.Error.Code) {
		events = append(events, a.event(run, job, "run", run.Error.Code, []trouble{{problem: run.Error}}))
	}
	return events
}

// trouble is one error of a run, and of which target.
type trouble struct {
	target  string
	problem *journal.Problem
}

func (a *App) failures(run journal.Run, job string) []notify.ErrorEvent {
	if !failed(run.Exit) {
		return nil
	}
	var all []trouble
	if run.Error != nil {
		all = append(all, trouble{"", run.Error})
	}
	for _, t := range run.Targets {
		if t.Error != nil {
			all = append(all, trouble{t.Target, t.Error})
		}
	}
	e := a.event(run, job, run.Verb, run.Exit, all)
	e.Context["findings"] = a.eventFindings(run)
	return []notify.ErrorEvent{e}
}

// eventFindings are the findings of a failed run, each with its runbook. One that could not
// be told is what made the run fail.
func (a *App) eventFindings(run journal.Run) []map[string]any {
	all := []map[string]any{}
	for _, f := range a.found(run) {
		if f.FindingView != nil && len(all) < mostFindings {
			all = append(all, map[string]any{"target": f.Target, "id": f.ID, "severity": f.Severity, "title": f.Title, "fix": f.Fix, "runbook": f.Runbook})
		}
	}
	return all
}

// event makes one of a run's errors. Its fingerprint is what is one trouble: the same verb of
// the same system that fails for the same reasons, in whatever language it is told.
func (a *App) event(run journal.Run, job, verb string, exit int, all []trouble) notify.ErrorEvent {
	fingerprint := []string{"upkeep", run.System, verb}
	var targets []string
	errs := []map[string]any{}
	e := notify.ErrorEvent{ID: eventID(run.ID, verb), At: run.Finished, System: run.System, Warning: exit == engine.ExitPartly,
		Tags: map[string]string{"system": run.System, "verb": verb, "run": run.ID, "exit_code": strconv.Itoa(exit)}}
	for _, t := range all {
		view := report.ErrorOf(a.opt.Words, t.problem, t.target, run.ID)
		e.Errors = append(e.Errors, notify.ErrorLine{ID: t.problem.ID, Title: view.Title})
		errs = append(errs, map[string]any{"target": t.target, "id": t.problem.ID, "title": view.Title, "consequence": view.Consequence, "fix": view.Fix, "detail": t.problem.Detail})
		if t.target != "" {
			targets = append(targets, t.target)
		}
		if fingerprint = append(fingerprint, t.problem.ID); len(e.Errors) == mostFindings {
			break
		}
	}
	for _, f := range a.found(run) {
		if f.FindingView != nil && f.Severity == service.Unknown {
			fingerprint = append(fingerprint, f.ID)
		}
	}
	slices.Sort(fingerprint[3:])
	e.Fingerprint = slices.Compact(fingerprint)
	e.Message = fmt.Sprintf("%s of %s ended with exit code %d", verb, run.System, exit)
	e.Context = map[string]any{"run": run.ID, "verb": verb, "targets": targets, "errors": errs}
	if job != "" {
		e.Tags["job"] = job
	}
	return e
}

// eventID is the same for the same run and verb, however often it is sent.
func eventID(run, verb string) string {
	sum := sha256.Sum256([]byte(run + " " + verb))
	return hex.EncodeToString(sum[:16])
}
