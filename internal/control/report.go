package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

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
// verb in full, the runs of the whole span, and the results that targets hold now. It goes to
// file, or to out where that is empty. The code is the exit code.
func (a *App) Report(ctx context.Context, out io.Writer, file, span, format string, words catalogue.Words) (code int, err error) {
	page, err := a.pageOf(ctx, span)
	if err != nil {
		return engine.ExitFailed, err
	}
	write := func(to io.Writer) error { return a.writePage(ctx, to, page, format, words) }
	if file == "" {
		err = write(out)
	} else {
		err = report.Save(file, write)
	}
	if slices.ContainsFunc(page.Results, func(r report.Results) bool { return r.Problem != nil }) {
		code = engine.ExitPartly
	}
	return code, err
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
	page := report.Over(a.Config.System, runs, now.Add(-length), now)
	page.Results, err = a.results(ctx)
	return page, err
}

// writeReport is the report verb of a job: it writes the job's page so far, or one of a
// span, beside the declaration, in HTML or the formats that the job names. What results it
// told is recorded for the next one. begun says that a killed process had begun it.
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
		run.Targets = summed(page.Results)
		run.Output, err = a.saveReport(ctx, page, cmp.Or(req.Span, page.Title), req.Formats)
		err = errors.Join(err, a.mailReport(id, page, req.Span, run.Output))
	}
	run.Verdict, run.Exit = service.OK, engine.ExitDone
	if slices.ContainsFunc(run.Targets, func(t journal.Target) bool { return t.Error != nil }) {
		run.Verdict, run.Exit = service.Unknown, engine.ExitPartly
	}
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

// saveReport writes reports/DATE-NAME.FORMAT and returns the paths: from the declaration where
// they lie beside it.
func (a *App) saveReport(ctx context.Context, page report.Page, called string, formats []string) (string, error) {
	if len(formats) == 0 {
		formats = []string{"html"}
	}
	dir, err := a.reportsDir()
	if err != nil {
		return "", err
	}
	var saved []string
	var failed []error
	for _, format := range formats {
		path := filepath.Join(dir, page.At.Format(time.DateOnly)+"-"+called+"."+format)
		err := report.Save(path, func(to io.Writer) error { return a.writePage(ctx, to, page, format, a.opt.Words) })
		if failed = append(failed, err); err == nil {
			saved = append(saved, strings.TrimPrefix(path, a.Config.Base+string(filepath.Separator)))
		}
	}
	return strings.Join(saved, ", "), errors.Join(failed...)
}

// reportsDir is reports beside the declaration. Where upkeep may not write there, as its unit in
// /etc, it is in the state directory.
func (a *App) reportsDir() (string, error) {
	beside := filepath.Join(a.Config.Base, "reports")
	if err := os.MkdirAll(beside, 0o755); err == nil && unix.Access(beside, unix.W_OK) == nil {
		return beside, nil
	}
	own := filepath.Join(a.stateDir, "reports")
	if err := os.MkdirAll(own, 0o755); err != nil {
		return "", fmt.Errorf("make the reports directory: %w", err)
	}
	return own, nil
}
