package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"upkeep/bench/corpus"
	"upkeep/bench/suite"
	"upkeep/bench/table"
	"upkeep/bench/tool"
)

// board is what every suite works with.
type board struct {
	options
	scratch string
	tools   []tool.Tool
	subject *tool.Upkeep // nil when upkeep is not measured
	result  *suite.Result
}

// part is one suite. Its table has a column for upkeep and one for each peer, or one
// for every tool where it measures them all.
type part struct {
	name  string
	peers []string
	all   bool
	asked bool // runs only when it is named
	run   func(b board, ctx context.Context) error
}

// parts are all suites in the order in which they run.
func parts() []part {
	return []part{
		{name: "trees", all: true, run: board.trees},
		{name: "postgres", peers: []string{suite.PgTools}, run: board.postgres},
		{name: "answers", run: board.answers},
		{name: "templates", peers: []string{suite.Drain}, run: board.templates},
		{name: "stack", peers: []string{suite.DailyScript}, run: board.stack},
		{name: "objects", peers: []string{suite.Rclone, suite.RcloneList}, run: board.manyObjects},
		{name: "graph", peers: []string{suite.Neo4jAdmin}, run: board.graph},
		{name: "logs", peers: []string{suite.Gzip, suite.Grep, suite.Count}, run: board.logs},
		{name: "export", peers: []string{suite.Workbooks}, run: board.export},
		{name: "drill", run: board.drill},
		{name: "merge", peers: []string{suite.Window, suite.Polars, suite.Pandas}, run: board.merge},
		{name: "merge-50m", peers: []string{suite.Window, suite.Polars, suite.Pandas}, asked: true, run: board.merge50M},
		{name: "document", peers: []string{suite.PythonJSON}, run: board.document},
		{name: "status", peers: []string{suite.Pandas}, run: board.status},
		{name: "around", peers: []string{suite.Family}, asked: true, run: board.around},
		{name: "rules", peers: []string{suite.Prometheus}, asked: true, run: board.rules},
	}
}

func names() (all []string) {
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}

// usual are those that run when none is named.
func usual() (all []string) {
	for _, p := range parts() {
		if !p.asked {
			all = append(all, p.name)
		}
	}
	return all
}

// chosen are the wanted suites, in the order in which they were named.
func (o options) chosen() (chosen []part, err error) {
	for _, name := range strings.Split(o.suites, ",") {
		at := slices.Index(names(), name)
		if at < 0 {
			return nil, fmt.Errorf("there is no suite %q; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, parts()[at])
	}
	return chosen, nil
}

// columns are the tools that a suite's table has a column for.
func (p part) columns(b board) (columns []string) {
	for _, t := range b.tools {
		if p.all || t.Name() == table.Subject {
			columns = append(columns, t.Name())
		}
	}
	return append(columns, p.peers...)
}

func (b board) trees(ctx context.Context) error {
	tree, err := b.tree()
	if err != nil {
		return err
	}
	spec := corpus.Standard()
	state := "warm: the source has just been read"
	if b.cold {
		state = "cold: the page cache is dropped before every run"
	}
	b.result.Note("trees", fmt.Sprintf("%d files, %d MB, seed %d; files %s", spec.Files, spec.Bytes/1e6, spec.Seed, state))
	return suite.Trees{Spec: spec, Tree: tree, Scratch: b.scratch, Cold: b.cold, Rounds: b.rounds}.Run(ctx, b.tools, b.result)
}

func (b board) postgres(ctx context.Context) error {
	b.result.Note("postgres", fmt.Sprintf("pgbench scale %d", b.scale))
	b.result.Note("postgres", "CPU time and memory of pg_dump and pg_restore are without the server that works for them; upkeep's drill includes its scratch server")
	return suite.Postgres{Scale: b.scale, Scratch: b.scratch, Bin: b.pgBin, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

func (b board) answers(ctx context.Context) error {
	if b.subject == nil {
		return nil
	}
	return suite.Answers{Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

func (b board) stack(ctx context.Context) error {
	return suite.Stack{Rows: b.rows, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

// around takes as long as it is told, and so runs only when it is named.
func (b board) around(ctx context.Context) error {
	if err := b.family(ctx, "around", "prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "prometheus-postgres-exporter", "prometheus-redis-exporter"); err != nil {
		return err
	}
	return suite.Around{Rows: b.rows, For: b.watch, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

func (b board) rules(ctx context.Context) error {
	if err := b.family(ctx, "rules", "prometheus"); err != nil {
		return err
	}
	return suite.ManyRules{Series: b.series, Rules: b.alertRules, For: b.watch, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

// family notes the versions of Debian's packages, or says what to install.
func (b board) family(ctx context.Context, suite string, packages ...string) error {
	argv := append([]string{"-W", "-f", "${Package} ${Version}, "}, packages...)
	out, err := exec.CommandContext(ctx, "dpkg-query", argv...).Output()
	if err != nil {
		return fmt.Errorf("apt-get install %s: %w", strings.Join(packages, " "), err)
	}
	b.result.Note(suite, strings.TrimSuffix(string(out), ", "))
	return nil
}

func (b board) manyObjects(ctx context.Context) error {
	rclone, err := exec.LookPath("rclone")
	if err != nil {
		return fmt.Errorf("rclone is not installed (apt-get install rclone), or leave the suite objects out: %w", err)
	}
	version, err := tool.FirstLine(ctx, rclone, "version")
	if err != nil {
		return err
	}
	b.result.Note("objects", "rclone: "+version)
	spec := corpus.Spec{Seed: corpus.Standard().Seed, Files: b.objects, Bytes: b.objectBytes}
	return suite.Objects{Spec: spec, Rclone: rclone, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

func (b board) graph(ctx context.Context) error {
	return suite.Graph{Nodes: b.nodes, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

func (b board) logs(ctx context.Context) error {
	version, err := tool.FirstLine(ctx, "gzip", "--version")
	if err != nil {
		return err
	}
	b.result.Note("logs", "gzip: "+version)
	spec := corpus.LogFiles{Seed: corpus.Standard().Seed, Files: b.logFiles, Bytes: b.logBytes}
	return suite.Logs{Spec: spec, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}

func (b board) drill(ctx context.Context) error {
	if b.subject == nil {
		return nil
	}
	return suite.Drill{Rows: b.rows, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}
