package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/repository"
)

// states counts restore points. The repository is opened for it, and closed again, when a run
// has ended since that may have changed them.
func (o *own) states(ctx context.Context, a *App, j *journal.Journal, made gauges) error {
	last := ""
	for _, verb := range []string{"backup", "verify", "drill", "restore"} {
		runs, _, err := j.Runs(ctx, journal.Query{System: a.Config.System, Verb: verb, Limit: 1})
		if err != nil {
			return err
		}
		for _, run := range runs {
			if !run.Finished.IsZero() {
				last += run.ID + " "
			}
		}
	}
	if last != o.counted {
		points, err := a.countPoints(ctx)
		if err != nil {
			return fmt.Errorf("count restore points: %w", err)
		}
		o.points, o.counted = points, last
	}
	for state, n := range o.points {
		made.set("upkeep_points", float64(n), "state", state)
	}
	return nil
}

func (a *App) countPoints(ctx context.Context) (map[string]int, error) {
	states := map[string]int{"complete": 0, "incomplete": 0, "verified": 0, "proven": 0, "damaged": 0}
	if _, err := os.Stat(a.RepositoryPath()); errors.Is(err, fs.ErrNotExist) {
		return states, nil
	}
	opt, err := a.repositoryOptions(ctx)
	if err != nil {
		return nil, err
	}
	r, err := repository.Open(ctx, opt)
	if err != nil {
		return nil, err
	}
	points, err := r.Points(ctx)
	for _, p := range points {
		if p.System == a.Config.System {
			countState(states, p)
		}
	}
	return states, errors.Join(err, r.Close(ctx))
}

func countState(states map[string]int, p repository.Point) {
	for state, is := range map[string]bool{"complete": p.Complete, "incomplete": !p.Complete, "verified": !p.Verified.IsZero(),
		"proven": !p.Proven.IsZero(), "damaged": !p.Damaged.IsZero()} {
		if is {
			states[state]++
		}
	}
}

// backupGaps are the longest times between two turns of the jobs that copy, by target: what is
// older has missed one. Targets without such a job are left out.
func (a *App) backupGaps() map[string]time.Duration {
	var longest time.Duration
	for _, job := range a.Config.Jobs {
		if gap := a.gap(job.At.Next); copies(job.Do) && !job.At.IsZero() && (longest == 0 || gap < longest) {
			longest = gap
		}
	}
	gaps := map[string]time.Duration{}
	for _, t := range a.Inventory.Targets() {
		if longest > 0 && t.Kind.Offers("backup") {
			gaps[t.Name] = longest
		}
	}
	return gaps
}

func copies(verbs []string) bool {
	for _, line := range verbs {
		if req, err := parseVerb(line); err == nil && req.Verb == "backup" {
			return true
		}
	}
	return false
}

// gap is the longest of the next turns' distances. A year of a monthly job is enough, a
// week of an hourly one as well.
func (a *App) gap(next func(time.Time) time.Time) (longest time.Duration) {
	const turns = 13
	at := next(a.opt.Now())
	for range turns {
		following := next(at)
		if following.IsZero() {
			break
		}
		longest, at = max(longest, following.Sub(at)), following
	}
	return longest
}
