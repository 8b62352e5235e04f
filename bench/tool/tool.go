// Package tool drives upkeep and the programs it is measured against, each with
// the settings that a user would pick: encrypted repository, zstd, local disk.
package tool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep/bench/measure"
)

// Tool is one backup program with one fresh repository.
type Tool interface {
	Name() string
	Version(ctx context.Context) (string, error)
	// Init makes the repository below work, which is empty and private.
	Init(ctx context.Context, work, tree string) error
	Backup(ctx context.Context) (measure.Cost, error)
	// Verify reads every byte of the newest copy back.
	Verify(ctx context.Context) (measure.Cost, error)
	// Restore writes the newest copy somewhere into dir, which is empty or missing.
	Restore(ctx context.Context, dir string) (measure.Cost, error)
	// Repository is the directory whose bytes count.
	Repository() string
}

// program is what all tools share: a binary and an environment of its own.
type program struct {
	name, bin  string
	work, tree string
	env        []string
}

const password = "bench-password" // protects a corpus that anybody can make

func (p *program) Name() string       { return p.name }
func (p *program) Repository() string { return filepath.Join(p.work, "repository") }

func (p *program) init(work, tree string, env ...string) error {
	p.work, p.tree = work, tree
	p.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + work, "TMPDIR=" + work, "LC_ALL=C.UTF-8"}, env...)
	return os.MkdirAll(work, 0o700)
}

func (p *program) run(ctx context.Context, args ...string) (measure.Cost, error) {
	cost, _, err := measure.Run(ctx, measure.Cmd{Argv: append([]string{p.bin}, args...), Env: p.env, Dir: p.work})
	return cost, err
}

// version is the first line of what the program prints.
func (p *program) version(ctx context.Context, args ...string) (string, error) {
	return FirstLine(ctx, p.bin, args...)
}

// FirstLine of what a program prints, where it says its version.
func FirstLine(ctx context.Context, bin string, args ...string) (string, error) {
	_, out, err := measure.Run(ctx, measure.Cmd{Argv: append([]string{bin}, args...), Env: os.Environ()})
	line, _, _ := strings.Cut(string(out), "\n")
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", filepath.Base(bin), err)
	}
	return strings.TrimSpace(line), nil
}
