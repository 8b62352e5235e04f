package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"upkeep/bench/suite"
)

// drainVersion is the last release of drain3.
const drainVersion = "0.9.11"

func (b board) templates(ctx context.Context) error {
	bin := filepath.Join(b.cache, "bin", "templates")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, "./bench/cmd/templates")
	build.Dir = b.source
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program that groups messages: %w:\n%s", err, out)
	}
	python, err := b.drain(ctx)
	if err != nil {
		return err
	}
	b.result.Note("templates", fmt.Sprintf("%d log messages; drain3 %s with its defaults", b.messages, drainVersion))
	return suite.Templates{Upkeep: bin, Python: python, Cache: b.cache, Scratch: b.scratch, Lines: b.messages, Rounds: b.rounds}.Run(ctx, b.result)
}

// drain installs drain3 once.
func (o options) drain(ctx context.Context) (string, error) {
	return o.venv(ctx, "drain3-"+drainVersion, "drain3=="+drainVersion)
}

// venv installs pinned packages once, into an environment of their own, and returns its
// Python.
func (o options) venv(ctx context.Context, name string, packages ...string) (string, error) {
	dir := filepath.Join(o.cache, name)
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return python, nil
	}
	slog.Info("installing", "peer", name)
	install := append([]string{python, "-m", "pip", "install", "--quiet"}, packages...)
	for _, argv := range [][]string{{"python3", "-m", "venv", dir}, install} {
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("install %s: %w:\n%s", name, err, out)
		}
	}
	return python, os.WriteFile(done, nil, 0o644)
}
