package control

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/catalogue"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// JobOf names the job of a job's run.
func JobOf(run journal.Run) string {
	req, err := decodeRequest(run.Args)
	if err != nil {
		return ""
	}
	return req.Job
}

// Page makes a page of one run and of the runs of its verbs.
func (a *App) Page(ctx context.Context, id string) (report.Page, error) {
	run, children, err := a.Run(ctx, id)
	if err != nil {
		return report.Page{}, err
	}
	page := report.Of(run, children)
	if name := JobOf(run); name != "" {
		page.Title = name
	}
	return page, nil
}

// Report writes what the last day, week or month brought: the newest run of every
// verb in full, and the runs of the whole span.
func (a *App) Report(ctx context.Context, out io.Writer, span, format string, words catalogue.Words) error {
	page, err := a.pageOf(ctx, span)
	if err != nil {
		return err
	}
	return report.Write(out, page, format, words, a.opt.Now())
}

// spans are how far back a report looks.
var spans = map[string]time.Duration{"day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 31 * 24 * time.Hour}

// atMost bounds the runs of one report: a month of half-hourly jobs.
const atMost = 2000

func (a *App) pageOf(ctx context.Context, span string) (report.Page, error) {
	length, ok := spans[span]
	if !ok {
		length = spans["day"]
	}
	now := a.opt.Now()
	runs, _, err := a.Runs(ctx, journal.Query{Limit: atMost})
	if err != nil {
		return report.Page{}, err
	}
	return report.Over(a.Config.System, runs, now.Add(-length), now), nil
}

// writeReport is the report verb of a job: it writes the job's page so far as
// HTML beside the declaration. begun says that a killed process had begun it.
func (a *App) writeReport(ctx context.Context, id string, req Request, begun bool) (journal.Run, error) {
	run := journal.Run{ID: id, System: a.Config.System, Verb: "report", Parent: req.Parent, Args: req.encode(),
		Started: a.opt.Now(), Targets: []journal.Target{}}
	j, err := a.Journal(ctx)
	if err == nil && !begun {
		err = j.Begin(ctx, run)
	}
	if err != nil {
		return run, err
	}
	page, err := a.jobPage(ctx, req)
	if err == nil {
		run.Output, err = a.saveReport(page)
	}
	run.Verdict, run.Exit = service.OK, engine.ExitDone
	if err != nil {
		run.Error = engine.Problem(err)
		run.Verdict, run.Exit = service.Unknown, run.Error.Code
	}
	run.Finished = a.opt.Now()
	return run, j.Finish(ctx, run)
}

func (a *App) jobPage(ctx context.Context, req Request) (report.Page, error) {
	if req.Span != "" {
		return a.pageOf(ctx, req.Span)
	}
	page, err := a.Page(ctx, req.Parent)
	page.Open = false // the job is at work on this very page: it speaks of the verbs before it
	return page, err
}

// saveReport writes reports/DATE-TITLE.html beside the declaration and returns
// its path from there.
func (a *App) saveReport(page report.Page) (string, error) {
	name := filepath.Join("reports", page.At.Format(time.DateOnly)+"-"+page.Title+".html")
	path := filepath.Join(a.Config.Base, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("make the reports directory: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return "", fmt.Errorf("write the report: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone by then, unless something failed
	if err := report.Write(f, page, "html", a.opt.Words, a.opt.Now()); err != nil {
		return "", fmt.Errorf("write the report: %w", err)
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("write the report: %w", err)
	}
	return name, os.Rename(f.Name(), path)
}
