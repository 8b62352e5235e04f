package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/table"
	"upkeep/bench/tool"
)

// The works on log files, and the column of what packs them instead.
const (
	CollectLogs = "collection of log files"
	GrownSome   = "again, 1 % more in one file of a hundred"
	GrownAll    = "again, 1 % more in every file"
	Gzip        = "gzip -1"
	Grep        = "grep -c ERROR" // all that the guide of PILOT-Bench knows of its logs
	Count       = "wc"            // the floor: every byte is looked at once
)

// linesRead is how many bytes the log files have, as a work of which only the size is known.
const linesRead = "lines read"

// logRate is how many bytes of log upkeep reads in a second, at least: times, levels and templates
// of all lines, packed and read back.
const logRate = 100e6

// Logs measures the collection of a directory of log files.
type Logs struct {
	Spec    corpus.LogFiles
	Scratch string
	Rounds  int
}

// Run fills r. upkeep may be nil.
func (l Logs) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	dir := filepath.Join(l.Scratch, "logs")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return fmt.Errorf("make room for the logs: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := l.Spec.Write(dir); err != nil {
		return err
	}
	for round := range l.Rounds {
		halves := []string{Gzip, Grep, Count}
		if u != nil {
			halves = append(halves, u.Name())
		}
		for _, half := range rotate(halves, round) {
			switch half {
			case table.Subject:
				r.Fail(l.subject(ctx, dir, u, r))
			case Gzip:
				r.Fail(l.stock(ctx, dir, r))
			default:
				r.Fail(l.counted(ctx, half, dir, r))
			}
		}
	}
	r.size(linesRead, table.Subject, l.Spec.Bytes)
	r.Note("logs", fmt.Sprintf("%d files, %d MB, seed %d, the lines of 25 programs", l.Spec.Files, l.Spec.Bytes/1e6, l.Spec.Seed))
	r.Note("logs", "upkeep packs with zstd at its fastest level, reads every byte back, and groups the messages; gzip packs all files again, for it remembers nothing")
	r.Note("logs", "grep and wc only count, and keep nothing")
	return ctx.Err()
}

// stock packs a copy of the files.
func (l Logs) stock(ctx context.Context, dir string, r *Result) (err error) {
	place := filepath.Join(l.Scratch, "gzip")
	defer func() { err = errors.Join(err, os.RemoveAll(place)) }()
	for _, work := range []string{CollectLogs, GrownSome, GrownAll} {
		if err := errors.Join(os.RemoveAll(place), os.CopyFS(place, os.DirFS(dir))); err != nil {
			return fmt.Errorf("copy the logs: %w", err)
		}
		settle()
		cost, _, err := measure.Run(ctx, measure.Cmd{Argv: []string{"gzip", "-1", "-r", place}, Env: []string{"PATH=" + os.Getenv("PATH")}})
		if err := r.cost(work, Gzip, cost, err); err != nil {
			return err
		}
		if work == CollectLogs {
			packed, err := corpus.Size(place)
			if err != nil {
				return err
			}
			r.size(work, Gzip, packed)
		}
	}
	return nil
}

// counted lets a stock tool look at all lines.
func (l Logs) counted(ctx context.Context, name, dir string, r *Result) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return err
	}
	settle()
	cost, _, err := measure.Run(ctx, measure.Cmd{Argv: append(strings.Fields(name), files...), Env: []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}})
	return r.cost(CollectLogs, name, cost, err)
}

func (l Logs) subject(ctx context.Context, dir string, u *tool.Upkeep, r *Result) (err error) {
	work := filepath.Join(l.Scratch, "upkeep-logs")
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear the place of upkeep: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	u.Services = []string{fmt.Sprintf("app: {kind: logs, paths: [%q]}", filepath.Join(dir, "*.log"))}
	if err := u.Init(ctx, work, ""); err != nil {
		return err
	}
	if err := l.collect(ctx, u, r, CollectLogs); err != nil {
		return err
	}
	packed, err := corpus.Size(filepath.Join(work, "state", "logs"))
	if err != nil {
		return err
	}
	r.size(CollectLogs, u.Name(), packed)
	return errors.Join(
		l.grown(ctx, dir, u, r, GrownSome, max(l.Spec.Files/100, 1)),
		l.grown(ctx, dir, u, r, GrownAll, l.Spec.Files))
}

// grown collects once more when so many files have grown by a hundredth of all bytes.
func (l Logs) grown(ctx context.Context, dir string, u *tool.Upkeep, r *Result, work string, files int) error {
	undo, err := l.Spec.Grow(dir, files, l.Spec.Bytes/100)
	if err == nil {
		err = l.collect(ctx, u, r, work)
	}
	if undo != nil {
		err = errors.Join(err, undo())
	}
	return err
}

func (l Logs) collect(ctx context.Context, u *tool.Upkeep, r *Result, work string) error {
	settle()
	cost, lines, err := u.Logs(ctx)
	if err == nil && lines == 0 {
		err = errors.New("it collected nothing")
	}
	return r.cost(work, u.Name(), cost, err)
}
