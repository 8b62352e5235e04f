package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// keep adds a finished step to the run and seals its target's result at once: a
// crash loses nothing that was known.
func (r *runner) keep(ctx context.Context, s service.Step, result sealed) {
	ctx = context.WithoutCancel(ctx)
	failed := result.Problem != nil || result.Skipped
	r.mu.Lock()
	r.done[s.ID] = service.Done{Outcome: result.Outcome, Failed: failed}
	r.mu.Unlock()
	r.saveStep(ctx, s, result)
	for _, name := range slices.Sorted(maps.Keys(result.Outcome.Targets)) {
		r.addTo(ctx, name, sealed{Outcome: service.Outcome{Verdict: result.Outcome.Targets[name]}, Took: result.Took})
	}
	target := r.addTo(ctx, s.Target, result)
	r.tell(Event{Step: s.ID, Target: s.Target, Title: s.Title, State: Finished, Result: target})
}

func (r *runner) saveStep(ctx context.Context, s service.Step, result sealed) {
	step := journal.Step{ID: s.ID, Verb: r.work.Run.Verb, Title: s.Title, Took: result.Took,
		Skipped: result.Skipped, Error: result.Problem}
	if result.Problem != nil {
		step.Exit = result.Problem.Code
	}
	r.mu.Lock()
	r.steps = append(r.steps, step)
	if s.Target == "" && r.problem == nil {
		r.problem = result.Problem
	}
	r.mu.Unlock()
	if err := r.engine.Journal.SaveStep(ctx, r.work.Run.ID, step); err != nil {
		r.engine.Log.Error("step not recorded", "step", s.ID, "error", err)
	}
}

// own is where a run puts what it found about upkeep itself: the declaration, the
// repository.
const own = "upkeep"

// addTo merges a step's result into its target's and returns that.
func (r *runner) addTo(ctx context.Context, name string, result sealed) *journal.Target {
	if name == "" && len(result.Outcome.Verdict.Findings) > 0 {
		name = own
	}
	if name == "" || result.Skipped {
		return nil
	}
	target := r.target(name)
	target.Took += result.Took
	target.Error = result.Problem
	target.Findings = append(target.Findings, r.judged(ctx, name, target.Kind, result.Outcome.Verdict)...)
	for fact, value := range result.Outcome.Verdict.Facts {
		target.Facts[fact] = value
	}
	target.Verdict = targetVerdict(*target)
	if err := r.engine.Journal.SaveTarget(ctx, r.work.Run.ID, *target); err != nil {
		r.engine.Log.Error("result not recorded", "target", name, "error", err)
	}
	return target
}

func (r *runner) target(name string) *journal.Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.results[name]; ok {
		return known
	}
	t := &journal.Target{Target: name, Kind: r.kind(name), Facts: service.Facts{}}
	r.results[name] = t
	return t
}

// judged completes findings: full ID, age, and the reason where one is accepted.
func (r *runner) judged(ctx context.Context, target, kind string, v service.Verdict) []journal.Finding {
	var found []journal.Finding
	for _, f := range v.Findings {
		id := f.ID
		if !strings.Contains(id, ".") {
			id = kind + "." + id
		}
		j := journal.Finding{ID: id, Severity: f.Severity, Subject: f.Subject, Args: f.Args}
		if why, expired, ok := r.work.Inventory.Waiver(target, id, r.engine.Now()); ok && !expired {
			j.Waived = why
		}
		found = append(found, j)
	}
	aged, err := r.engine.Journal.Since(ctx, r.work.Run.System, r.work.Run.Verb, target, found, r.work.Run.Started)
	if err != nil {
		r.engine.Log.Error("age of findings not known", "target", target, "error", err)
		return found
	}
	return aged
}

func targetVerdict(t journal.Target) service.Severity {
	open := []service.Finding{}
	if t.Error != nil {
		open = append(open, service.Finding{Severity: service.Unknown})
	}
	for _, f := range t.Findings {
		if f.Waived == "" {
			open = append(open, service.Finding{Severity: f.Severity})
		}
	}
	return service.Worst(open)
}

// record returns the run so far, targets in the order of the steps.
func (r *runner) record() journal.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.work.Run
	run.Steps, run.Error = r.steps, r.problem
	run.Targets = []journal.Target{}
	listed := map[string]bool{}
	names := []string{}
	for _, s := range r.work.Steps {
		names = append(names, s.Target)
	}
	names = append(names, slices.Sorted(maps.Keys(r.results))...)
	for _, name := range append(without(names, own), own) {
		if t, ok := r.results[name]; ok && !listed[name] {
			listed[name] = true
			run.Targets = append(run.Targets, *t)
		}
	}
	return run
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n == name })
}
