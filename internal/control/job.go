package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// RunJob runs a declared job's verbs in order, each as a run of its own. It
// survives a crash: verbs that ended are not run again.
func (a *App) RunJob(ctx context.Context, name string) (journal.Run, error) {
	job, err := a.job(name)
	if err != nil {
		return journal.Run{}, err
	}
	ids := newIDs(a.opt.Now(), len(job.Do)+1)
	return a.runJob(ctx, ids[0], Request{Verb: "run", Job: name, Do: job.Do, Runs: ids[1:]}, false)
}

func (a *App) job(name string) (config.Job, error) {
	job, ok := a.Config.Jobs[name]
	if !ok {
		return job, fmt.Errorf("job %q: %w", name, service.ErrUndeclared)
	}
	return job, nil
}

func (a *App) jobSteps(name string) ([]service.Step, error) {
	job, err := a.job(name)
	var steps []service.Step
	for i, verb := range job.Do {
		steps = append(steps, service.Step{ID: fmt.Sprintf("%d %s", i+1, verb), Op: verb, Risk: service.Harmless,
			Title: service.Message{ID: "control.job-verb", Args: service.Args{"verb": verb}}})
	}
	return steps, err
}

// jobRun is a job in progress.
type jobRun struct {
	app      *App
	id       string
	req      Request
	approved []string       // KIND.op of steps that need no person
	steps    []journal.Step // that ended
	enter    func(ctx context.Context) (leave func(), err error)
	leave    func() // gives its place in the queue back; nothing while it has none
}

// runJob runs a job's verbs and tells those who want to know that it began and how it ended.
func (a *App) runJob(ctx context.Context, id string, req Request, resume bool) (run journal.Run, err error) {
	ping := a.jobPing(req.Job)
	run, err = a.doJob(ctx, id, req, resume, ping)
	ping.end(ctx, run, err)
	if err == nil {
		a.ended(ctx, run)
	}
	return run, err
}

func (a *App) doJob(ctx context.Context, id string, req Request, resume bool, ping *jobPing) (journal.Run, error) {
	job, err := a.job(req.Job)
	if err != nil {
		return journal.Run{}, err
	}
	if len(job.Do) != len(req.Runs) || req.Do != nil && !slices.Equal(job.Do, req.Do) {
		return journal.Run{}, fmt.Errorf("job %s was changed since run %s began: %w", req.Job, id, service.ErrStale)
	}
	e, err := a.engine(ctx)
	if err != nil {
		return journal.Run{}, err
	}
	jr := &jobRun{app: a, id: id, req: req, approved: job.Approve}
	jr.enter = func(ctx context.Context) (func(), error) { return a.enter(ctx, e, job, id, req.Job) }
	if jr.leave, err = jr.enter(ctx); err != nil {
		return journal.Run{}, err
	}
	defer func() { jr.leave() }()
	ping.start(ctx, id)
	return e.RunJob(ctx, engine.Job{
		Run:    journal.Run{ID: id, System: a.Config.System, Verb: "run", Args: req.encode(), Started: a.opt.Now()},
		Steps:  jr.verbs(job.Do),
		Keep:   jr.keep,
		Resume: resume,
	})
}

// enter waits for the job's turn in its queue; one without a queue has it at once.
func (a *App) enter(ctx context.Context, e *engine.Engine, job config.Job, id, name string) (leave func(), err error) {
	if job.Queue == "" {
		return func() {}, nil
	}
	declared := a.Config.Queues[job.Queue]
	q := engine.Queue{System: a.Config.System, Name: job.Queue, Concurrency: declared.Concurrency, Wait: declared.Wait.Std()}
	return e.Enter(ctx, q, job.Priority, id, func(ahead string) {
		if a.opt.Watch != nil {
			a.opt.Watch(engine.Event{Run: id, Verb: "run", State: engine.Waiting, Title: service.Message{ID: "control.queued",
				Args: service.Args{"job": name, "queue": job.Queue, "run": ahead}}})
		}
	})
}

func (r *jobRun) verbs(verbs []string) []engine.JobStep {
	var steps []engine.JobStep
	for i, verb := range verbs {
		id := r.req.Runs[i]
		steps = append(steps, engine.JobStep{ID: id, Do: func(ctx context.Context) (journal.Step, error) { return r.verb(ctx, verb, id) }})
	}
	return steps
}

func (r *jobRun) keep(step journal.Step) { r.steps = append(r.steps, step) }

// verb runs one verb of the job, or resumes it, or skips it when the copy that it
// would look at was not taken.
func (r *jobRun) verb(ctx context.Context, line, id string) (journal.Step, error) {
	if words := strings.Fields(line); len(words) > 0 && words[0] == "window" {
		return r.turnWindow(ctx, words[1:], id)
	}
	req, err := parseVerb(line)
	step := journal.Step{ID: id, Verb: req.Verb, Run: id}
	if err != nil {
		return step, err
	}
	req.Parent = r.id
	if req.Verb == "verify" || req.Verb == "drill" {
		point, missing := r.taken(ctx)
		if missing {
			step.Skipped, step.Run = true, ""
			return step, nil
		}
		req.Point = point
	}
	started := time.Now()
	run, err := r.child(ctx, id, req)
	if ctx.Err() != nil {
		return step, ctx.Err()
	}
	if err != nil {
		step.Error = engine.Problem(err)
		run.Exit = step.Error.Code
	}
	step.Exit, step.Took = run.Exit, time.Since(started)
	return step, nil
}

// taken returns the point that the job's last backup took; missing says that it
// took none. A job without a backup looks at the newest point.
func (r *jobRun) taken(ctx context.Context) (point string, missing bool) {
	for _, s := range slices.Backward(r.steps) {
		if s.Verb != "backup" {
			continue
		}
		run, err := r.app.journal.Run(ctx, s.Run)
		return run.Point, err != nil || run.Point == ""
	}
	return "", false
}

// child runs a verb under an ID that was fixed when the job began: after a crash
// the journal knows whether it ended, began or never did.
func (r *jobRun) child(ctx context.Context, id string, req Request) (journal.Run, error) {
	known, err := r.app.journal.Run(ctx, id)
	begun := err == nil
	switch {
	case begun && !known.Finished.IsZero():
		return known, nil
	case req.Verb == "report":
		return r.app.writeReport(ctx, id, req, begun)
	case tends(req.Verb) && begun:
		return r.app.resumeRun(ctx, known)
	case tends(req.Verb):
		req.Unattended, req.Approved = true, r.approved
		return r.patiently(ctx, func() (journal.Run, error) { return r.app.tend(ctx, id, req, r.req.Job) })
	case req.Verb == "backup" && begun:
		return r.app.resumeRun(ctx, known)
	case req.Verb == "backup":
		return r.backup(ctx, id, req)
	}
	return r.app.submit(ctx, id, req, begun)
}

// backup stops services only where the job has approved that: then it is a plan under
// that standing approval.
func (r *jobRun) backup(ctx context.Context, id string, req Request) (journal.Run, error) {
	stops := false
	for _, t := range r.app.Inventory.Targets() {
		if t.Stops == (service.Stops{}) {
			continue
		}
		if stops = true; !slices.Contains(r.approved, t.Stops.Approval) {
			return journal.Run{}, fmt.Errorf("the backup stops %s, which job %s has not approved as %s: %w",
				t.Name, r.req.Job, t.Stops.Approval, service.ErrRefused)
		}
	}
	if !stops {
		return r.app.submit(ctx, id, req, false)
	}
	return r.patiently(ctx, func() (journal.Run, error) { return r.app.tend(ctx, id, req, r.req.Job) })
}

// parseVerb reads one entry of a job's do: list: a verb and its flags.
func parseVerb(line string) (Request, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Request{}, fmt.Errorf("a job has an empty verb: %w", service.ErrUnsupported)
	}
	req := Request{Verb: words[0]}
	for i := 1; i < len(words); i++ {
		switch flag := words[i]; {
		case flag == "--week" || flag == "--month" || flag == "--day":
			req.Span = strings.TrimPrefix(flag, "--")
		case flag == "--format" && i+1 < len(words):
			i++
			req.Formats = strings.Split(words[i], ",")
		case flag == "--sample" && i+1 < len(words):
			i++
			share, err := quantity.ParseShare(words[i])
			if err != nil {
				return req, fmt.Errorf("%s --sample %s: %w", req.Verb, words[i], err)
			}
			req.Sample = float64(share)
		default:
			return req, fmt.Errorf("%s does not take %q in a job: %w", req.Verb, flag, service.ErrUnsupported)
		}
	}
	return req, nil
}
