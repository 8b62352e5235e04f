package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"upkeep/bench/measure"
	"upkeep/bench/suite"
	"upkeep/bench/table"
)

// report prints a table per suite and, on request, keeps them under today's date.
func (b board) report(ctx context.Context, chosen []part) error {
	var text bytes.Buffer
	if err := b.header(ctx, &text); err != nil {
		return err
	}
	for _, p := range chosen {
		if err := b.section(&text, p); err != nil {
			return err
		}
	}
	failures(&text, b.result)
	if _, err := os.Stdout.Write(text.Bytes()); err != nil || !b.write {
		return err
	}
	name := filepath.Join(b.source, "bench", "results", b.file(time.Now()))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("keep the tables: %w", err)
	}
	return os.WriteFile(name, text.Bytes(), 0o644)
}

// file is the name of the tables: some suites alone do not replace those of all.
func (o options) file(day time.Time) string {
	name := day.Format(time.DateOnly)
	if o.suites != strings.Join(usual(), ",") {
		name += "-" + strings.ReplaceAll(o.suites, ",", "-")
	}
	return name + ".md"
}

// section prints what was measured in one suite.
func (b board) section(w io.Writer, p part) error {
	fmt.Fprintf(w, "\n## %s\n\n", p.name)
	for _, note := range b.result.Notes(p.name) {
		fmt.Fprintf(w, "- %s\n", note)
	}
	fmt.Fprintln(w)
	columns := p.columns(b)
	rows := b.result.Rows(p.name, columns)
	if err := table.Write(w, columns, rows); err != nil {
		return err
	}
	spread(w, columns, rows, b.result)
	return nil
}

func (b board) header(ctx context.Context, w io.Writer) error {
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
	fmt.Fprintf(w, "# Benchmarks of %s\n\n", time.Now().Format(time.DateOnly))
	fmt.Fprintf(w, "- machine: %d cores, %.0f GiB memory, Linux %s, %s\n", runtime.NumCPU(),
		float64(sys.Totalram)*float64(sys.Unit)/(1<<30), release(uts), runtime.Version())
	fmt.Fprintf(w, "- %d rounds, tools alternate within each; medians\n", b.rounds)
	fmt.Fprintf(w, "- load before the first round %.2f", b.load)
	if b.load > quiet {
		fmt.Fprintf(w, ": **the machine was busy with something else, so compare CPU times and fastest runs, not medians**")
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "- peak memory is that of the largest process, not below %d MiB (the measuring program)\n", floor>>20)
	for _, t := range b.tools {
		version, err := t.Version(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "- %s: %s\n", t.Name(), version)
	}
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
func spread(w io.Writer, tools []string, rows []table.Row, r *suite.Result) {
	fmt.Fprint(w, "\nFastest and slowest run (bold: too far apart for the median to be trusted, repeat on a quiet machine):\n\n")
	var shown []string
	for _, row := range rows {
		if slices.Contains(shown, row.Work) {
			continue
		}
		shown = append(shown, row.Work)
		var cells []string
		for _, name := range tools {
			if runs := r.Runs(row.Work, name); len(runs) > 0 {
				cells = append(cells, name+" "+between(runs))
			}
		}
		if len(cells) > 0 {
			fmt.Fprintf(w, "- %s: %s\n", row.Work, strings.Join(cells, ", "))
		}
	}
}

func between(runs []measure.Cost) string {
	low, high := runs[0].Wall, runs[0].Wall
	for _, run := range runs {
		low, high = min(low, run.Wall), max(high, run.Wall)
	}
	text := fmt.Sprintf("%.2f–%.2f s", low.Seconds(), high.Seconds())
	if high.Seconds() > unsteady*low.Seconds() {
		return "**" + text + "**"
	}
	return text
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
