package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"upkeep/bench/suite"
)

// drainVersion is the last release of drain3.
const drainVersion = "0.9.11"

func (b board) templates(ctx context.Context) error {
	bin, err := b.own(ctx, "./bench/cmd/templates")
	if err != nil {
		return err
	}
	python, err := b.python(ctx, "drain3", "drain3=="+drainVersion)
	if err != nil {
		return err
	}
	b.result.Note("templates", fmt.Sprintf("%d log messages; drain3 %s with its defaults", b.messages, drainVersion))
	return suite.Templates{Upkeep: bin, Python: python, Cache: b.cache, Scratch: b.scratch, Lines: b.messages, Rounds: b.rounds}.Run(ctx, b.result)
}

// own builds a program of the source tree.
func (o options) own(ctx context.Context, pkg string) (string, error) {
	bin := filepath.Join(o.cache, "bin", filepath.Base(pkg))
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, pkg)
	build.Dir = o.source
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w:\n%s", pkg, err, out)
	}
	return bin, nil
}
