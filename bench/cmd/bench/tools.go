package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"upkeep/bench/tool"
)

// peer is a Go program that is built from its pinned go.mod under tools/.
type peer struct{ name, version, pkg string }

func peers() map[string]peer {
	return map[string]peer{
		"restic": {"restic", "v0.18.1", "github.com/restic/restic/cmd/restic"},
		"kopia":  {"kopia", "v0.23.1", "github.com/kopia/kopia"},
	}
}

// open returns the wanted tools, and upkeep once more by its own type, nil when it
// is not among them.
func (o options) open(ctx context.Context) ([]tool.Tool, *tool.Upkeep, error) {
	var all []tool.Tool
	var subject *tool.Upkeep
	for _, name := range strings.Split(o.tools, ",") {
		one, err := o.openOne(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		if _, ok := one.(*tool.Upkeep); ok {
			bin, err := filepath.Abs(o.upkeep)
			if err != nil {
				return nil, nil, err
			}
			subject = tool.NewUpkeep(bin)
		}
		all = append(all, one)
	}
	return all, subject, nil
}

func (o options) openOne(ctx context.Context, name string) (tool.Tool, error) {
	name, compressor, _ := strings.Cut(name, ":")
	switch name {
	case "upkeep":
		bin, err := filepath.Abs(o.upkeep)
		return tool.NewUpkeep(bin), err
	case "restic":
		bin, err := o.build(ctx, peers()[name])
		return tool.NewRestic(bin), err
	case "kopia":
		if compressor == "" {
			compressor = "zstd"
		}
		bin, err := o.build(ctx, peers()[name])
		return tool.NewKopia(bin, compressor), err
	case "borg":
		bin, err := exec.LookPath("borg")
		if err != nil {
			return nil, fmt.Errorf("borg is not installed (apt-get install borgbackup), or leave it out with -tools: %w", err)
		}
		return tool.NewBorg(bin), nil
	}
	return nil, fmt.Errorf("there is no tool %q", name)
}

// build makes the program once per version. Its go.mod pins every module; it lies
// outside the main module so that peers never become dependencies.
func (o options) build(ctx context.Context, p peer) (string, error) {
	bin := filepath.Join(o.cache, "bin", p.name+"-"+p.version)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	slog.Info("building", "peer", p.name, "version", p.version)
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-trimpath", "-o", bin, p.pkg)
	cmd.Dir = filepath.Join(o.source, "tools", p.name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w:\n%s", p.name, err, out)
	}
	return bin, nil
}
