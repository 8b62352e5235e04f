package engine

import (
	"context"
	"fmt"
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
	if r.work.Undoable {
		step.Work, step.Result = &s, result.Outcome.Result
	}
	r.mu.Lock()
	r.steps = append(r.steps, step)
	if s.Target == "" && r.problem == nil {
		r.problem = result.Problem
	}
	r.mu.Unlock()
	if !r.work.unrecorded {
		r.saved(r.engine.Journal.SaveStep(ctx, r.work.Run.ID, step))
	}
}

// saved remembers why the journal did not take a result. The run goes on to what
// only reads, changes nothing more, and does not end as done.
func (r *runner) saved(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unsaved == nil {
		r.unsaved = fmt.Errorf("record a result: %w", err)
	}
}

func (r *runner) unrecorded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unsaved != nil
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
	target := r.merge(name, result, r.judged(ctx, name, result.Outcome.Verdict))
	if !r.work.unrecorded {
		r.saved(r.engine.Journal.SaveTarget(ctx, r.work.Run.ID, target))
	}
	return &target
}

// merge returns a copy of the target's result with that of one more step in it.
func (r *runner) merge(name string, result sealed, found []journal.Finding) journal.Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	target, known := r.results[name]
	if !known {
		target = &journal.Target{Target: name, Kind: r.kind(name), Facts: service.Facts{}}
		r.results[name] = target
	}
	target.Took += result.Took
	if result.Problem != nil {
		target.Error = result.Problem
	}
	target.Findings = append(target.Findings, found...)
	maps.Copy(target.Facts, result.Outcome.Verdict.Facts)
	target.Verdict = targetVerdict(*target)
	said := *target
	said.Findings, said.Facts = slices.Clone(target.Findings), maps.Clone(target.Facts)
	return said
}

// judged completes findings: full ID, age, and the reason where one is accepted.
func (r *runner) judged(ctx context.Context, target string, v service.Verdict) []journal.Finding {
	var found []journal.Finding
	for _, f := range v.Findings {
		id := f.ID
		if !strings.Contains(id, ".") {
			id = r.kind(target) + "." + id
		}
		j := journal.Finding{ID: id, Severity: severity(f.Severity), Subject: f.Subject, Args: f.Args}
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

// severity keeps a word that nobody knows from counting as ok.
func severity(s service.Severity) service.Severity {
	switch s {
	case service.OK, service.Warning, service.Critical:
		return s
	}
	return service.Unknown
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

// record returns the run so far, targets and steps in the order of the plan.
func (r *runner) record() journal.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.work.Run
	run.Steps, run.Error = r.inOrder(), r.problem
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

// inOrder sorts the steps that were done side by side.
func (r *runner) inOrder() []journal.Step {
	place := map[string]int{}
	for i, s := range r.work.Steps {
		place[s.ID] = i
	}
	return slices.SortedStableFunc(slices.Values(r.steps), func(a, b journal.Step) int { return place[a.ID] - place[b.ID] })
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n == name })
}
