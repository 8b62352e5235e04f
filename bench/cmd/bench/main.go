// Command bench measures upkeep beside the tools that a user would pick instead
// and prints one Markdown table. Everything it needs and leaves lies in one
// cache directory outside the source tree.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"upkeep/bench/corpus"
	"upkeep/bench/suite"
	"upkeep/bench/table"
)

type options struct {
	cache, tools, suites string
	source               string // root of the source tree
	upkeep, pgBin        string
	rounds, scale        int
	messages, rows       int
	objects, nodes       int
	logFiles             int
	sheetRows            int
	objectBytes          int64
	logBytes             int64
	tableRows            int // of the main file of merge
	cappedRows           int // the same of merge-50m
	increments           int // files of both
	incrementRows        int // of each
	models, statusRows   int
	watch                time.Duration // of around and of each half of rules
	series, alertRules   int
	cold, write          bool
	load                 float64 // of the machine before the first round
}

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse()
	if err == nil {
		err = bench(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse() (options, error) {
	home, err := os.UserCacheDir()
	if err != nil {
		return options{}, fmt.Errorf("find the cache directory: %w", err)
	}
	var o options
	flag.StringVar(&o.cache, "cache", filepath.Join(home, "upkeep-bench"), "programs, corpora and scratch repositories")
	flag.StringVar(&o.source, "source", ".", "root of the source tree")
	flag.StringVar(&o.upkeep, "upkeep", "bin/upkeep", "the program to measure")
	flag.StringVar(&o.tools, "tools", "upkeep,restic,kopia,borg", "what trees measures; kopia:COMPRESSOR takes another compressor than zstd")
	flag.StringVar(&o.suites, "suites", strings.Join(usual(), ","), "which suites to run; merge-50m only when it is named")
	flag.StringVar(&o.pgBin, "pg-bin", "/usr/lib/postgresql/15/bin", "directory of pg_dump, pg_restore and pgbench")
	flag.IntVar(&o.rounds, "n", 5, "rounds")
	flag.IntVar(&o.scale, "scale", 50, "scale of pgbench; 50 = 5 million rows")
	flag.IntVar(&o.messages, "messages", 3_000_000, "log messages to group")
	flag.IntVar(&o.rows, "rows", 2000, "rows of the example system besides those that its application makes")
	flag.IntVar(&o.objects, "objects", 100_000, "objects in the bucket")
	flag.Int64Var(&o.objectBytes, "object-bytes", 2_000_000_000, "bytes of all objects in the bucket")
	flag.IntVar(&o.nodes, "nodes", 1_000_000, "nodes of the graph, each with two relationships")
	flag.IntVar(&o.logFiles, "log-files", 2000, "log files to collect")
	flag.Int64Var(&o.logBytes, "log-bytes", 300_000_000, "bytes of all log files")
	flag.IntVar(&o.sheetRows, "sheet-rows", 1_000_000, "rows of the table that becomes a workbook; pandas takes some 8 GB for a million")
	flag.IntVar(&o.tableRows, "table-rows", 10_000_000, "rows of the file that increments are merged into")
	flag.IntVar(&o.cappedRows, "capped-rows", 50_000_000, "the same for merge-50m")
	flag.IntVar(&o.increments, "increments", 200, "files of increments")
	flag.IntVar(&o.incrementRows, "increment-rows", 10_000, "rows of each increment")
	flag.IntVar(&o.models, "models", 1300, "models in the JSON database; 1300 = 200 MB")
	flag.IntVar(&o.statusRows, "status-rows", 35_000_000, "rows of the file whose numbers are asked; 35,000,000 = 1 GB")
	flag.DurationVar(&o.watch, "watch", 30*time.Minute, "how long around watches, and rules each of its two in each round")
	flag.IntVar(&o.series, "series", 100_000, "series of rules")
	flag.IntVar(&o.alertRules, "alert-rules", 950, "alert rules over them")
	flag.BoolVar(&o.cold, "cold", false, "drop the page cache before every run on files (root)")
	flag.BoolVar(&o.write, "write", false, "keep the table as bench/results/DATE.md, or DATE-SUITES.md")
	flag.Parse()
	o.cache, err = filepath.Abs(o.cache)
	return o, err
}

func bench(ctx context.Context, o options) error {
	chosen, err := o.chosen()
	if err != nil {
		return err
	}
	b, err := o.board(ctx, chosen)
	if err != nil {
		return err
	}
	for _, p := range chosen {
		err := p.run(b, ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("stopped: %w", context.Cause(ctx))
		}
		b.result.Fail(err) // hours of other figures must not be lost with it
	}
	if err := b.report(ctx, chosen); err != nil {
		return err
	}
	if failed := len(b.result.Failed); failed > 0 {
		return fmt.Errorf("%d measurements failed; they are listed below the tables", failed)
	}
	return nil
}

// board makes everything ready. The tools that only trees measures are needed for
// nothing else.
func (o options) board(ctx context.Context, chosen []part) (board, error) {
	if !slices.ContainsFunc(chosen, func(p part) bool { return p.all }) {
		o.tools = table.Subject
	}
	tools, subject, err := o.open(ctx)
	if err != nil {
		return board{}, err
	}
	sys, err := sysinfo()
	if err != nil {
		return board{}, err
	}
	o.load = float64(sys.Loads[0]) / (1 << 16)
	scratch := filepath.Join(o.cache, "scratch")
	if err := os.MkdirAll(scratch, 0o711); err != nil {
		return board{}, fmt.Errorf("make the scratch directory: %w", err)
	}
	return board{options: o, scratch: scratch, tools: tools, subject: subject, result: suite.NewResult()}, nil
}

// tree builds the corpus once; its name carries the seed. A tree that an
// interrupted run left changed would spoil every comparison, so it is checked.
func (o options) tree() (string, error) {
	spec := corpus.Standard()
	tree := filepath.Join(o.cache, fmt.Sprintf("tree-%d", spec.Seed))
	if want, err := os.ReadFile(tree + ".digest"); err == nil {
		if got, err := corpus.Digest(tree); err == nil && got == string(want) {
			return tree, nil
		}
	}
	slog.Info("building the corpus", "dir", tree)
	if err := os.RemoveAll(tree); err != nil {
		return "", fmt.Errorf("clear the corpus: %w", err)
	}
	if err := corpus.Build(tree, spec); err != nil {
		return "", err
	}
	digest, err := corpus.Digest(tree)
	if err != nil {
		return "", err
	}
	return tree, os.WriteFile(tree+".digest", []byte(digest), 0o644)
}
