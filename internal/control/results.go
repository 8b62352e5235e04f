package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/catalogue"
	"upkeep/internal/command"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// summing is how long one target may take to sum up what it holds.
const summing = 10 * time.Minute

// reportsBack is how many earlier reports a report compares with: a year of weekly ones.
const reportsBack = 60

// results asks every target that can sum up what it holds. One that cannot now is told with
// the reason.
func (a *App) results(ctx context.Context) (all []report.Results, err error) {
	for _, target := range a.Inventory.Targets() {
		if !target.Kind.Offers("summarize") {
			continue
		}
		sums, err := a.summarize(ctx, target)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			all = append(all, report.Results{Target: target.Name, Kind: target.Kind.Name(), Problem: engine.Problem(err)})
			continue
		}
		past, err := a.reported(ctx, target.Name)
		if err != nil {
			return nil, err
		}
		for _, s := range sums {
			all = append(all, report.Results{Target: target.Name, Kind: target.Kind.Name(), Summary: s, Past: report.RecordedIn(past, target.Name, s.Name)})
		}
	}
	return all, nil
}

func (a *App) summarize(ctx context.Context, target inventory.Target) (all []service.Summary, err error) {
	limit := summing
	if a.opt.Timeout > 0 {
		limit = a.opt.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	in, err := target.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	summarizer, err := service.As[service.Summarizer](in)
	if err != nil {
		return nil, err
	}
	return summarizer.Summarize(ctx)
}

// reported are the reports that told of a target, newest first.
func (a *App) reported(ctx context.Context, target string) ([]journal.Run, error) {
	runs, _, err := a.Runs(ctx, journal.Query{Verb: "report", Target: target, Limit: reportsBack})
	return runs, err
}

// summed is what a report's run keeps of the results: what the next one compares with.
func summed(all []report.Results) []journal.Target {
	targets := []journal.Target{}
	sums := map[string][]service.Summary{}
	for _, r := range all {
		t := journal.Target{Target: r.Target, Kind: r.Kind, Verdict: service.OK, Error: r.Problem}
		if r.Problem != nil {
			t.Verdict = service.Unknown
		} else {
			sums[r.Target] = append(sums[r.Target], r.Summary)
			t.Facts = report.Record(sums[r.Target])
		}
		if n := len(targets); n > 0 && targets[n-1].Target == r.Target {
			targets = targets[:n-1]
		}
		targets = append(targets, t)
	}
	return targets
}

// writePage writes a page in any format.
func (a *App) writePage(ctx context.Context, out io.Writer, page report.Page, format string, words catalogue.Words) (err error) {
	if format != "pdf" {
		return report.Write(out, page, format, words, a.opt.Now())
	}
	dir, remove, err := a.printRoom()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return report.PDF(ctx, out, page, words, a.opt.Now(), &command.Runner{Paths: a.Config.Tools}, dir)
}

// printRoom is a private directory; what killed runs left of theirs goes.
func (a *App) printRoom() (dir string, remove func() error, err error) {
	const target, purpose = "report", "print"
	left, err := a.scratch.Leftovers(target, purpose)
	if err != nil {
		return "", nil, err
	}
	for _, old := range left {
		if err := os.RemoveAll(old); err != nil {
			return "", nil, fmt.Errorf("remove what an earlier print left: %w", err)
		}
	}
	return a.scratch.Dir(target, purpose)
}
