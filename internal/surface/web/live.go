package web

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/serve"
)

// Of is the system that a process looks after.
func Of(p *serve.Process) System { return &live{process: p} }

// Clock is the time as the system's declaration has its days.
func Clock(p *serve.Process) func() time.Time {
	return func() time.Time {
		app, done := p.App()
		defer done()
		return p.Now().In(app.Zone())
	}
}

// live asks the process and, of what was done, the journal.
type live struct {
	process *serve.Process

	// What takes long to read is read when a run may have changed it.
	standings kept[[]control.Standing]
	stores    kept[[]report.Capacity]
	points    kept[[]Point]
	due       kept[[]Due]

	last lastCheck
}

// asked does something with the declaration that is in force.
func asked[T any](l *live, do func(*control.App) (T, error)) (T, error) {
	app, done := l.process.App()
	defer done()
	return do(app)
}

func (l *live) Name() string {
	name, _ := asked(l, func(a *control.App) (string, error) { return a.Config.System, nil })
	return name
}

func (l *live) Language() string {
	language, _ := asked(l, func(a *control.App) (string, error) { return a.Config.Language, nil })
	return language
}

// missedLooks is how many checks may be missed before the last one counts as old.
const missedLooks = 3

// Fresh leaves a check the time that a slow target may take.
func (l *live) Fresh() time.Duration {
	every, _ := asked(l, func(a *control.App) (time.Duration, error) { return a.Config.Monitor.Check.Std(), nil })
	return missedLooks*every + 10*time.Second
}

// Standings are those of the journal, brought up to date by the check that the process
// made last: one that found the same is not recorded.
func (l *live) Standings(ctx context.Context) ([]control.Standing, error) {
	known, err := byRuns(ctx, l, &l.standings, func(ctx context.Context, a *control.App) ([]control.Standing, error) { return a.Standings(ctx) }, "check")
	last := l.last.recorded(l.process.Checked())
	if err != nil || last.Finished.IsZero() {
		return known, err
	}
	all := slices.Clone(known)
	for i := range all {
		for _, t := range last.Targets {
			if t.Target == all[i].Target.Target && !last.Started.Before(all[i].At) {
				all[i] = looked(all[i], t, last)
			}
		}
	}
	return all, nil
}

// lastCheck is the last check as it would come back from the journal: facts are JSON
// values, whatever their kind keeps them in.
type lastCheck struct {
	mu  sync.Mutex
	run journal.Run
}

func (c *lastCheck) recorded(fresh journal.Run) journal.Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run.ID == fresh.ID {
		return c.run
	}
	var back journal.Run
	text, err := json.Marshal(fresh)
	if err != nil || json.Unmarshal(text, &back) != nil {
		return fresh // what the journal cannot keep is shown as it is
	}
	c.run = back
	return back
}

func looked(st control.Standing, said journal.Target, in journal.Run) control.Standing {
	if said.Verdict != st.Verdict || st.Since.IsZero() {
		st.Since, st.AtLeast = in.Started, false
	}
	st.Target, st.Looked = said, in.Finished
	return st
}

func (l *live) Verbs(ctx context.Context, job journal.Run) ([]journal.Run, int, error) {
	app, done := l.process.App()
	defer done()
	return app.Verbs(ctx, job)
}

func (l *live) Runs(ctx context.Context, q journal.Query) ([]journal.Run, string, error) {
	app, done := l.process.App()
	defer done()
	return app.Runs(ctx, q)
}

// Run returns one run. Of a job that has not ended the verbs that began are there too.
func (l *live) Run(ctx context.Context, id string) (journal.Run, []journal.Run, error) {
	app, done := l.process.App()
	defer done()
	run, verbs, err := app.Run(ctx, id)
	if err == nil && run.Verb == "run" && run.Finished.IsZero() {
		verbs, _, err = app.Verbs(ctx, run)
	}
	return run, verbs, err
}

func (l *live) Alive(run string) (bool, error) {
	return asked(l, func(a *control.App) (bool, error) { return a.Alive(run) })
}

func (l *live) Stores(ctx context.Context) ([]report.Capacity, error) {
	return byRuns(ctx, l, &l.stores, func(ctx context.Context, a *control.App) ([]report.Capacity, error) { return a.Stores(ctx) }, "check", "backup", "report")
}

// Points are read only when a run may have changed them: opening a repository takes a good
// part of a second and much memory.
func (l *live) Points(ctx context.Context) ([]Point, error) {
	return byRuns(ctx, l, &l.points, heldBy, "backup", "verify", "drill", "restore", "recover")
}

// byRuns reads a value again when there are newer runs of these verbs, or another
// declaration.
func byRuns[T any](ctx context.Context, l *live, k *kept[T], read func(context.Context, *control.App) (T, error), verbs ...string) (T, error) {
	app, done := l.process.App()
	defer done()
	of, err := newestOf(ctx, app, verbs)
	if err != nil {
		var none T
		return none, err
	}
	return k.get(ctx, of, l.process.Now, func() (T, error) {
		return asked(l, func(a *control.App) (T, error) { return read(context.WithoutCancel(ctx), a) }) // others wait for it, too
	})
}

func heldBy(ctx context.Context, a *control.App) (all []Point, err error) {
	points, rules, err := a.Held(ctx)
	for _, point := range points {
		all = append(all, Point{point, rules[point.ID]})
	}
	return all, err
}

// newestOf names the declaration and the newest run of each verb, and whether it has ended.
func newestOf(ctx context.Context, a *control.App, verbs []string) (string, error) {
	names := a.Config.Digest
	for _, verb := range verbs {
		runs, _, err := a.Runs(ctx, journal.Query{Verb: verb, Limit: 1})
		if err != nil {
			return "", err
		}
		for _, run := range runs {
			names += fmt.Sprintf(" %s %t", run.ID, run.Finished.IsZero())
		}
	}
	return names, nil
}

// Next is what is declared, and when it is due. It is asked again each minute: time makes
// things due, too.
func (l *live) Next(ctx context.Context) ([]Due, error) {
	digest, _ := asked(l, func(a *control.App) (string, error) { return a.Config.Digest, nil })
	of := digest + l.process.Now().Truncate(time.Minute).String()
	return l.due.get(ctx, of, l.process.Now, func() ([]Due, error) {
		found, err := asked(l, func(a *control.App) ([]control.Due, error) { return a.Due(context.WithoutCancel(ctx)) })
		var all []Due
		for _, d := range found {
			all = append(all, Due(d))
		}
		return all, err
	})
}
