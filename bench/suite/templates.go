package suite

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/table"
)

// The works on log messages.
const (
	Group      = "group log messages"
	GroupMixed = "300,000 messages of all systems mixed"
	GroupTuned = "2,000 messages of each of 12 systems"
	GroupHeld  = "2,000 messages of each of 13 systems kept aside"
)

// Drain is what upkeep's templates are compared with: the usual library, with its
// defaults.
const Drain = "drain3"

//go:embed group_with_drain3.py
var drainScript []byte // constant, as far as Go allows

// Templates measures how fast, in what memory and how rightly messages are grouped.
type Templates struct {
	Upkeep  string // the program bench/cmd/templates
	Python  string // has drain3
	Cache   string // keeps the corpus
	Scratch string
	Lines   int
	Rounds  int
}

// seed of the corpus. Results are only comparable with the same one.
const logSeed = 20261125

// Run fills r: speed and memory in alternating rounds, then the groups once, for
// they are the same every time.
func (t Templates) Run(ctx context.Context, r *Result) error {
	script := filepath.Join(t.Scratch, "group_with_drain3.py")
	if err := os.WriteFile(script, drainScript, 0o644); err != nil {
		return fmt.Errorf("write the script for drain3: %w", err)
	}
	stream := filepath.Join(t.Cache, fmt.Sprintf("messages-%d-%d.log", logSeed, t.Lines))
	systems, err := corpus.LogSystems()
	if err != nil {
		return err
	}
	if err := corpus.SaveMessages(stream, systems, logSeed, t.Lines); err != nil {
		return err
	}
	tools := []grouper{
		{table.Subject, []string{t.Upkeep}, "-groups="}, {Drain, []string{t.Python, script}, ""},
	}
	for round := range t.Rounds {
		for _, g := range rotate(tools, round) {
			settle()
			cost, _, err := measure.Run(ctx, g.on(stream, ""))
			if err := r.cost(Group, g.name, cost, err); err != nil {
				return err
			}
		}
	}
	return t.accuracy(ctx, r, tools, systems)
}

// grouper is a program that groups the lines of a file.
type grouper struct {
	name string
	argv []string
	flag string // of the file for the groups; empty when it is the last argument
}

func (g grouper) on(file, groups string) measure.Cmd {
	argv := append([]string{}, g.argv...)
	switch {
	case groups == "":
		argv = append(argv, file)
	case g.flag == "":
		argv = append(argv, file, groups)
	default:
		argv = append(argv, g.flag+groups, file)
	}
	return measure.Cmd{Argv: argv, Env: os.Environ()}
}

// accuracy groups messages of all systems in one stream, and each system alone as
// comparisons of log parsers do.
func (t Templates) accuracy(ctx context.Context, r *Result, tools []grouper, systems []corpus.LogSystem) error {
	if err := t.set(ctx, r, GroupMixed, tools, systems, 300_000); err != nil {
		return err
	}
	for _, s := range systems {
		work := GroupTuned
		if s.Held {
			work = GroupHeld
		}
		if err := t.set(ctx, r, work, tools, []corpus.LogSystem{s}, 2000); err != nil {
			return err
		}
	}
	return nil
}

// set lets every tool group n messages once.
func (t Templates) set(ctx context.Context, r *Result, work string, tools []grouper, systems []corpus.LogSystem, n int) error {
	file := filepath.Join(t.Scratch, "messages.log")
	if err := corpus.SaveMessages(file, systems, logSeed, n); err != nil {
		return err
	}
	for _, g := range tools {
		if err := t.judge(ctx, r, work, g, file); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Remove(file), os.Remove(file+".groups")); err != nil {
		return fmt.Errorf("clear the messages: %w", err)
	}
	return nil
}

func (t Templates) judge(ctx context.Context, r *Result, work string, g grouper, file string) error {
	out := filepath.Join(t.Scratch, "groups")
	if _, _, err := measure.Run(ctx, g.on(file, out)); err != nil {
		return fmt.Errorf("%s, %s: %w", work, g.name, err)
	}
	predicted, err := readLines(out)
	if err != nil {
		return err
	}
	truth, err := readLines(file + ".groups")
	if err != nil {
		return err
	}
	share, err := measure.GroupAccuracy(predicted, truth)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", work, g.name, err)
	}
	r.wrong(work, g.name, 1-share)
	return os.Remove(out)
}

func readLines(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}
