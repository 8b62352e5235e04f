package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/suite"
	"upkeep/bench/tool"
)

// tablePeers are the newest releases of what people merge tables with in Python; pyarrow
// is what pandas reads and writes Parquet with.
func tablePeers() []string {
	return []string{"pandas==3.1.1", "pyarrow==26.0.1", "polars==2.1.0", "duckdb==2.0.1"}
}

// cappedMemory is what merge-50m leaves each tool, in bytes.
const cappedMemory = 512 << 20

func (b board) merge(ctx context.Context) error {
	m, err := b.merging(ctx, "merge", suite.MergeRows, b.tableRows)
	if err != nil {
		return err
	}
	return m.Run(ctx, b.subject, b.result)
}

// merge50M is not among the suites that run by themselves: it takes an hour.
func (b board) merge50M(ctx context.Context) error {
	m, err := b.merging(ctx, "merge-50m", suite.MergeCapped, b.cappedRows)
	if err != nil {
		return err
	}
	cost, err := b.own(ctx, "./bench/cmd/cost")
	if err != nil {
		return err
	}
	bin, err := filepath.Abs(filepath.Dir(b.upkeep))
	if err != nil {
		return err
	}
	base, err := tool.FirstLine(ctx, m.Python, "-c", "import sys; print(sys.base_prefix)")
	if err != nil {
		return err
	}
	b.result.Note("merge-50m", fmt.Sprintf("each in a container with %d MiB of memory and no swap", cappedMemory>>20))
	c := suite.Container{Memory: cappedMemory, Cost: cost, Dirs: []string{b.cache}, Programs: []string{bin, base}}
	return c.InContainers(ctx, func(place suite.Place) error {
		m.Place = place
		return m.Run(ctx, b.subject, b.result)
	})
}

// merging makes everything ready for a merge into so many rows.
func (b board) merging(ctx context.Context, name, work string, rows int) (m suite.Merge, err error) {
	python, err := b.python(ctx, "tables", tablePeers()...)
	if err != nil {
		return m, err
	}
	spec := corpus.Tables{Rows: rows, Increments: b.increments, IncrementRows: b.incrementRows}
	store, merged, err := b.tables(ctx, spec)
	if err != nil {
		return m, err
	}
	b.result.Note(name, fmt.Sprintf("%d increments of %d rows into %d rows of %d columns; %d %% of their rows replace one with the same key of %d columns",
		spec.Increments, spec.IncrementRows, spec.Rows, len(corpus.TableColumns()), corpus.ReplacingPercent, len(corpus.TableKey())))
	b.result.Note(name, strings.Join(tablePeers(), ", ")+"; Snappy everywhere. upkeep shows what it will do, reads back what it has written and compares it, and keeps the original; the others do not")
	program, err := b.own(ctx, "./bench/cmd/tables")
	return suite.Merge{Tables: program, Work: work, Suite: name, Spec: spec, Store: store, Merged: merged, Python: python, Scratch: b.scratch, Rounds: b.rounds}, err
}

// tables makes a store once per shape, and says what a merge of it must give.
func (o options) tables(ctx context.Context, spec corpus.Tables) (store, merged string, err error) {
	store = filepath.Join(o.cache, fmt.Sprintf("tables-%d-%d-%d", spec.Rows, spec.Increments, spec.IncrementRows))
	if known, err := os.ReadFile(store + ".merged"); err == nil {
		return store, string(known), nil
	}
	program, err := o.own(ctx, "./bench/cmd/tables")
	if err != nil {
		return "", "", err
	}
	slog.Info("making tables", "dir", store)
	if err := os.RemoveAll(store); err != nil {
		return "", "", fmt.Errorf("clear the tables: %w", err)
	}
	_, out, err := measure.Run(ctx, measure.Cmd{Env: os.Environ(), Argv: []string{program, "-rows", fmt.Sprint(spec.Rows),
		"-increments", fmt.Sprint(spec.Increments), "-increment-rows", fmt.Sprint(spec.IncrementRows), store}})
	if err != nil {
		return "", "", err
	}
	return store, string(out), os.WriteFile(store+".merged", out, 0o644)
}

func (b board) document(ctx context.Context) error {
	store := filepath.Join(b.cache, fmt.Sprintf("document-%d", b.models))
	if _, err := os.Stat(filepath.Join(store, suite.MasterFile)); err != nil {
		slog.Info("making a JSON database", "dir", store)
		program, err := b.own(ctx, "./lab/cmd/lab")
		if err != nil {
			return err
		}
		if _, _, err := measure.Run(ctx, measure.Cmd{Env: os.Environ(), Argv: []string{program, "results", "make", "-models", fmt.Sprint(b.models), store}}); err != nil {
			return err
		}
	}
	info, err := os.Stat(filepath.Join(store, suite.MasterFile))
	if err != nil {
		return err
	}
	python, err := exec.CommandContext(ctx, "python3", "--version").Output()
	if err != nil {
		return fmt.Errorf("ask python3 for its version: %w", err)
	}
	b.result.Note("document", fmt.Sprintf("a database of version 3.0, %d MB: %d models of 80 leaves, and its Parquet copy; %s", info.Size()/1e6, b.models, strings.TrimSpace(string(python))))
	b.result.Note("document", "Python adds up the models' totals and looks for three fields, as the guide's check does. Declared as a dataset of that alone, upkeep judges the same, and that no key stands twice and all is UTF-8; as a pilotbench it judges every leaf and every level, too, and compares the Parquet copy")
	return suite.Document{Store: store, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

func (b board) status(ctx context.Context) error {
	python, err := b.python(ctx, "tables", tablePeers()...)
	if err != nil {
		return err
	}
	program, err := b.own(ctx, "./bench/cmd/refresh")
	if err != nil {
		return err
	}
	spec := corpus.Tables{Rows: b.statusRows, Increments: 20, IncrementRows: 100}
	store, _, err := b.tables(ctx, spec)
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(store, corpus.MainFile))
	if err != nil {
		return err
	}
	b.result.Note("status", fmt.Sprintf("a Parquet file of %d rows and %d MB, and %d increments; %s", spec.Rows, info.Size()/1e6, spec.Increments, strings.Join(tablePeers()[:2], ", ")))
	b.result.Note("status", "pandas as the guide's dashboard does at every refresh; the start of Python and what it imports is not counted. Of upkeep its Collect call within a process, the mean of 100; peak memory is that of the whole process")
	return suite.Status{Spec: spec, Store: store, Python: python, Refresh: program, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

// python installs packages once, into an environment of their own that is named after all
// of them.
func (o options) python(ctx context.Context, name string, packages ...string) (string, error) {
	dir := filepath.Join(o.cache, "python-"+name)
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "installed")
	want := strings.Join(packages, "\n")
	if have, err := os.ReadFile(done); err == nil && string(have) == want {
		return python, nil
	}
	slog.Info("installing", "packages", packages)
	for _, argv := range [][]string{{"python3", "-m", "venv", "--clear", dir}, slices.Concat([]string{python, "-m", "pip", "install", "--quiet"}, packages)} {
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("install %s: %w:\n%s", name, err, out)
		}
	}
	return python, os.WriteFile(done, []byte(want), 0o644)
}
