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
	"strings"
	"syscall"

	"upkeep/bench/corpus"
	"upkeep/bench/suite"
	"upkeep/bench/tool"
)

type options struct {
	cache, tools, suites string
	source               string // root of the source tree
	upkeep, pgBin        string
	rounds, scale        int
	messages             int
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
	flag.StringVar(&o.tools, "tools", "upkeep,restic,kopia,borg", "what to measure; kopia:COMPRESSOR takes another compressor than zstd")
	flag.StringVar(&o.suites, "suites", "trees,postgres,answers,templates", "which suites to run")
	flag.StringVar(&o.pgBin, "pg-bin", "/usr/lib/postgresql/15/bin", "directory of pg_dump, pg_restore and pgbench")
	flag.IntVar(&o.rounds, "n", 5, "rounds")
	flag.IntVar(&o.scale, "scale", 50, "scale of pgbench; 50 = 5 million rows")
	flag.IntVar(&o.messages, "messages", 3_000_000, "log messages to group")
	flag.BoolVar(&o.cold, "cold", false, "drop the page cache before every run on files (root)")
	flag.BoolVar(&o.write, "write", false, "keep the table as bench/results/DATE.md")
	flag.Parse()
	o.cache, err = filepath.Abs(o.cache)
	return o, err
}

func bench(ctx context.Context, o options) error {
	tools, subject, err := o.open(ctx)
	if err != nil {
		return err
	}
	sys, err := sysinfo()
	if err != nil {
		return err
	}
	o.load = float64(sys.Loads[0]) / (1 << 16)
	result := suite.NewResult()
	scratch := filepath.Join(o.cache, "scratch")
	if err := os.MkdirAll(scratch, 0o711); err != nil {
		return fmt.Errorf("make the scratch directory: %w", err)
	}
	for _, name := range strings.Split(o.suites, ",") {
		err := o.suite(ctx, name, scratch, tools, subject, result)
		if ctx.Err() != nil {
			return fmt.Errorf("stopped: %w", context.Cause(ctx))
		}
		result.Fail(err) // hours of other figures must not be lost with it
	}
	if err := o.report(ctx, tools, result); err != nil {
		return err
	}
	if len(result.Failed) > 0 {
		return fmt.Errorf("%d measurements failed; they are listed below the table", len(result.Failed))
	}
	return nil
}

func (o options) suite(ctx context.Context, name, scratch string, tools []tool.Tool, subject *tool.Upkeep, r *suite.Result) error {
	switch name {
	case "trees":
		tree, err := o.tree()
		if err != nil {
			return err
		}
		return suite.Trees{Spec: corpus.Standard(), Tree: tree, Scratch: scratch, Cold: o.cold, Rounds: o.rounds}.Run(ctx, tools, r)
	case "postgres":
		return suite.Postgres{Scale: o.scale, Scratch: scratch, Bin: o.pgBin, Rounds: o.rounds}.Run(ctx, subject, r)
	case "answers":
		if subject == nil {
			return nil
		}
		return suite.Answers{Scratch: scratch, Rounds: o.rounds}.Run(ctx, subject, r)
	case "templates":
		return o.templates(ctx, scratch, r)
	}
	return fmt.Errorf("there is no suite %q; there are trees, postgres, answers and templates", name)
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
