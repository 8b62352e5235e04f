package recover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// mostCommands bounds the command lines that are shown.
const mostCommands = 20

// halts end the processes of every writer that has some.
func (r Recover) halts(ctx context.Context) (steps []service.Step, err error) {
	err = r.eachWriter(ctx, func(name string, h service.Halter) error {
		running, err := h.Running(ctx)
		if err != nil || len(running) == 0 {
			return err
		}
		steps = append(steps, service.Step{ID: opHalt + " " + name, Target: name, Op: opHalt, Risk: service.Disruptive,
			Title: service.Message{ID: "recover." + opHalt, Args: service.Args{"writer": name, "target": r.Target.Name, "commands": commands(running, false)}}})
		return nil
	})
	return steps, err
}

// eachWriter opens the targets whose processes write into this one.
func (r Recover) eachWriter(ctx context.Context, do func(name string, h service.Halter) error) error {
	names, err := r.writers(ctx)
	for _, name := range names {
		err = errors.Join(err, r.writer(name, do))
	}
	return err
}

func (r Recover) writers(ctx context.Context) (names []string, err error) {
	in, err := r.Target.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	rec, err := service.As[service.Recoverer](in)
	if err != nil {
		return nil, err
	}
	return rec.Writers(ctx)
}

func (r Recover) writer(name string, do func(name string, h service.Halter) error) (err error) {
	t, declared := r.Inventory.Target(name)
	if !declared {
		return fmt.Errorf("target %q: %w", name, service.ErrUndeclared)
	}
	in, err := t.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	h, err := service.As[service.Halter](in)
	if err == nil {
		err = do(name, h)
	}
	if err != nil {
		return fmt.Errorf("ask %s who writes: %w", name, err)
	}
	return nil
}

// commands are the command lines of those that are meant, each once; with where they
// worked, as a person would start them again.
func commands(all []service.Process, where bool) []string {
	var lines []string
	for _, p := range all {
		line := p.Command
		if where && p.Dir != "" {
			line = "cd " + p.Dir + " && " + line
		}
		if p.Meant {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if len(lines) > mostCommands {
		lines = append(lines[:mostCommands], "…")
	}
	return lines
}

// halt ends the processes of one writer, and says which: nobody here starts them again.
func halt(ctx context.Context, t service.Task) (o service.Outcome, err error) {
	h, err := service.As[service.Halter](t.Instance)
	if err != nil {
		return o, err
	}
	ended, err := h.Halt(ctx)
	if len(ended) > 0 {
		killed := slices.DeleteFunc(slices.Clone(ended), func(p service.Process) bool { return !p.Killed })
		o.Verdict.Warn("recover.ended", "", service.Args{"processes": len(ended), "killed": len(killed), "commands": commands(ended, true)})
	}
	o.Verdict.Set("ended", len(ended))
	o.Result = encode(ended)
	return o, err
}

// halted is an error when somebody who was to end goes on.
func halted(earlier map[string]service.Done) error {
	for id, done := range earlier {
		if name, is := strings.CutPrefix(id, opHalt+" "); is && done.Failed {
			return fmt.Errorf("%s did not end, so nothing is replaced: %w", name, service.ErrRefused)
		}
	}
	return nil
}

// quiet is an error when somebody writes again: what is put there would be overwritten.
func (r Recover) quiet(ctx context.Context) error {
	return r.eachWriter(ctx, func(name string, h service.Halter) error {
		running, err := h.Running(ctx)
		if err != nil || len(running) == 0 {
			return err
		}
		return &service.Fault{ID: "recover.writes-again", Args: service.Args{"writer": name, "pid": running[0].PID, "command": running[0].Command, "parent": running[0].Parent},
			Err: fmt.Errorf("process %d of %s runs again: %w", running[0].PID, name, service.ErrRefused)}
	})
}
