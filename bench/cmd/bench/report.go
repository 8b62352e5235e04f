package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/suite"
	"upkeep/bench/table"
	"upkeep/bench/tool"
)

// report prints the table and, on request, keeps it under today's date.
func (o options) report(ctx context.Context, tools []tool.Tool, r *suite.Result) error {
	var text bytes.Buffer
	if err := o.header(ctx, &text, tools); err != nil {
		return err
	}
	names := make([]string, 0, len(tools)+1)
	for _, t := range tools {
		names = append(names, t.Name())
	}
	if strings.Contains(o.suites, "postgres") {
		names = append(names, suite.PgTools)
	}
	if strings.Contains(o.suites, "templates") {
		names = append(names, suite.Drain)
	}
	var rows []table.Row
	for _, name := range strings.Split(o.suites, ",") {
		rows = append(rows, r.Rows(name, names)...)
	}
	if err := table.Write(&text, names, rows); err != nil {
		return err
	}
	spread(&text, names, r)
	failures(&text, r)
	if _, err := os.Stdout.Write(text.Bytes()); err != nil || !o.write {
		return err
	}
	name := filepath.Join(o.source, "bench", "results", time.Now().Format(time.DateOnly)+".md")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("keep the table: %w", err)
	}
	return os.WriteFile(name, text.Bytes(), 0o644)
}

func (o options) header(ctx context.Context, w io.Writer, tools []tool.Tool) error {
	var uts syscall.Utsname
	if err := syscall.Uname(&uts); err != nil {
		return fmt.Errorf("ask the kernel for its version: %w", err)
	}
	sys, err := sysinfo()
	if err != nil {
		return err
	}
	floor, err := measure.Floor(ctx)
	if err != nil {
		return err
	}
	spec := corpus.Standard()
	state := "warm: the source has just been read"
	if o.cold {
		state = "cold: the page cache is dropped before every run"
	}
	fmt.Fprintf(w, "# Benchmarks of %s\n\n", time.Now().Format(time.DateOnly))
	fmt.Fprintf(w, "- machine: %d cores, %.0f GiB memory, Linux %s, %s\n", runtime.NumCPU(),
		float64(sys.Totalram)*float64(sys.Unit)/(1<<30), release(uts), runtime.Version())
	fmt.Fprintf(w, "- corpus: %d files, %d MB, seed %d; pgbench scale %d; %d log messages\n", spec.Files, spec.Bytes/1e6, spec.Seed, o.scale, o.messages)
	fmt.Fprintf(w, "- %d rounds, tools alternate within each; medians; files %s\n", o.rounds, state)
	fmt.Fprintf(w, "- load before the first round %.2f", o.load)
	if o.load > quiet {
		fmt.Fprintf(w, ": **the machine was busy with something else, so compare CPU times and fastest runs, not medians**")
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "- peak memory is that of the largest process, not below %d MiB (the measuring program)\n", floor>>20)
	fmt.Fprintln(w, "- CPU time and memory of pg_dump and pg_restore are without the server that works for them; upkeep's drill includes its scratch server")
	for _, t := range tools {
		version, err := t.Version(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "- %s: %s\n", t.Name(), version)
	}
	fmt.Fprintln(w)
	return nil
}

// quiet is the load average below which nothing else of weight runs.
const quiet = 0.7

func sysinfo() (syscall.Sysinfo_t, error) {
	var sys syscall.Sysinfo_t
	if err := syscall.Sysinfo(&sys); err != nil {
		return sys, fmt.Errorf("ask for load and memory: %w", err)
	}
	return sys, nil
}

func release(uts syscall.Utsname) string {
	var text strings.Builder
	for _, c := range uts.Release {
		if c == 0 {
			break
		}
		text.WriteByte(byte(c))
	}
	return text.String()
}

// unsteady is the ratio of slowest to fastest run from which on a median says more
// about what else the machine did than about the tool.
const unsteady = 1.3

// spread shows how far the runs were apart: a median alone may lie.
func spread(w io.Writer, tools []string, r *suite.Result) {
	fmt.Fprint(w, "\nFastest and slowest run (bold: too far apart for the median to be trusted, repeat on a quiet machine):\n\n")
	for _, work := range []string{suite.First, suite.Unchanged, suite.Changed, suite.ReadBack, suite.Restore, suite.Dump, suite.DumpUnchanged, suite.DrillOrLoad, suite.Version, suite.Check, suite.Group} {
		var cells []string
		for _, name := range tools {
			runs := r.Runs(work, name)
			if len(runs) == 0 {
				continue
			}
			low, high := runs[0].Wall, runs[0].Wall
			for _, run := range runs {
				low, high = min(low, run.Wall), max(high, run.Wall)
			}
			cell := fmt.Sprintf("%s %.2f–%.2f s", name, low.Seconds(), high.Seconds())
			if high.Seconds() > unsteady*low.Seconds() {
				cell = "**" + cell + "**"
			}
			cells = append(cells, cell)
		}
		if len(cells) > 0 {
			fmt.Fprintf(w, "- %s: %s\n", work, strings.Join(cells, ", "))
		}
	}
}

func failures(w io.Writer, r *suite.Result) {
	if len(r.Failed) == 0 {
		return
	}
	fmt.Fprint(w, "\nFailed:\n\n")
	for _, text := range r.Failed {
		fmt.Fprintf(w, "- %s\n", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  "))
	}
}
