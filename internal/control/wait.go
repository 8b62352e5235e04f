package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// closed is the refusal of disruptive work outside its window.
type closed struct {
	service.Fault
	window Window
}

// As lets whoever looks for the words find them.
func (c *closed) As(target any) bool {
	fault, ok := target.(**service.Fault)
	if ok {
		*fault = &c.Fault
	}
	return ok
}

// inWindow refuses steps that users feel while no window is open for them. A job's
// own window counts before the declared ones, one that was opened by hand before both;
// what no window is declared for may begin at any time.
func (a *App) inWindow(ctx context.Context, steps []service.Step, job string) error {
	steps = slices.DeleteFunc(slices.Clone(steps), func(s service.Step) bool { return s.Risk != service.Disruptive })
	declared := a.Config.Jobs[job]
	own := declared.Window > 0 && !declared.At.IsZero()
	if len(steps) == 0 || !own && len(a.Config.Windows) == 0 {
		return nil
	}
	windows, err := a.Windows(ctx)
	if err != nil {
		return err
	}
	if own {
		windows = slices.DeleteFunc(windows, func(w Window) bool { return !w.Open || w.By == "" })
		windows = append(windows, a.ofJob(job, declared))
	}
	for _, s := range steps {
		if w, waits := waitsFor(windows, s.Target); waits {
			return a.closed(w, s.Target)
		}
	}
	return nil
}

// waitsFor returns the window that opens first of those that a target's work waits
// for; none when one of them is open, or there is none.
func waitsFor(windows []Window, target string) (first Window, waits bool) {
	for _, w := range windows {
		switch {
		case !w.covers(target):
		case w.Open:
			return Window{}, false
		case !waits || w.From.Before(first.From):
			first, waits = w, true
		}
	}
	return first, waits
}

func (a *App) closed(w Window, target string) error {
	args := service.Args{"window": w.Name, "target": target, "next": w.From.In(a.Zone()).Format("2006-01-02 15:04")}
	return &closed{window: w, Fault: service.Fault{ID: "error.window-closed", Args: args,
		Err: fmt.Errorf("window %s, which work on %s waits for, is closed until %s: %w", w.Name, target, args["next"], service.ErrRefused)}}
}

// windowPoll is how often a job that waits looks whether its window is open.
const windowPoll = 5 * time.Second

// patiently does again what was refused because its window was closed, once that is
// open. The job's place in its queue is others' meanwhile.
func (r *jobRun) patiently(ctx context.Context, do func() (journal.Run, error)) (journal.Run, error) {
	for {
		run, err := do()
		var refused *closed
		if !r.app.opt.Patient || !errors.As(err, &refused) {
			return run, err
		}
		if err := r.pause(ctx, refused.window); err != nil {
			return run, err
		}
	}
}

func (r *jobRun) pause(ctx context.Context, w Window) (err error) {
	r.app.opt.Log.Info("job waits for its window", "job", r.req.Job, "window", w.Name, "opens", w.From)
	if r.app.opt.Watch != nil {
		r.app.opt.Watch(engine.Event{Run: r.id, Verb: "run", State: engine.Waiting, Title: service.Message{ID: "control.window",
			Args: service.Args{"job": r.req.Job, "window": w.Name, "next": w.From.Format(time.RFC3339)}}})
	}
	r.leave()
	r.leave = func() {}
	if err := r.app.opens(ctx, w); err != nil {
		return err
	}
	r.leave, err = r.enter(ctx)
	return err
}

// opens waits until a window may be open: its time has come, or somebody turned one.
func (a *App) opens(ctx context.Context, w Window) error {
	before, err := a.journal.Notes(ctx, a.Config.System, windowNote)
	if err != nil {
		return err
	}
	tick := time.NewTicker(windowPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, err := a.journal.Notes(ctx, a.Config.System, windowNote)
		if err != nil || len(now) > len(before) || !a.opt.Now().Before(w.From) {
			return err
		}
	}
}

// turnWindow is the verb window of a job: window open NAME 2h, window close NAME.
func (r *jobRun) turnWindow(ctx context.Context, words []string, id string) (journal.Step, error) {
	step := journal.Step{ID: id, Verb: "window"}
	started := time.Now()
	err := r.turn(ctx, words)
	if ctx.Err() != nil {
		return step, ctx.Err()
	}
	if err != nil {
		step.Error = engine.Problem(err)
		step.Exit = step.Error.Code
	}
	step.Took = time.Since(started)
	return step, nil
}

func (r *jobRun) turn(ctx context.Context, words []string) error {
	by := "job " + r.req.Job
	if len(words) == 2 { // closed by itself, or by somebody: nothing to do
		_, err := r.app.CloseWindow(ctx, words[1], by, r.id)
		if fault := (*service.Fault)(nil); errors.As(err, &fault) && fault.ID == "error.window-not-open" {
			return nil
		}
		return err
	}
	long, err := quantity.ParseDuration(words[2])
	if err == nil {
		_, err = r.app.OpenWindow(ctx, Opening{Name: words[1], For: long.Std(), Why: by, By: by, Run: r.id})
	}
	return err
}
