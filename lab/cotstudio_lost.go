package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	cotstudio "upkeep/examples/cot-studio"
)

// Lose ends everything at once and removes all that was on the machine but one
// directory, where copies lie. The addresses stay with the system.
func (c *CotStudio) Lose(keep string) error {
	if err := c.kill(); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return fmt.Errorf("lose the machine: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == keep {
			continue
		}
		if err := os.RemoveAll(c.path(entry.Name())); err != nil {
			return fmt.Errorf("lose the machine: %w", err)
		}
	}
	return nil
}

// Renew does what docker compose up --build does on a new machine to which .env and the
// project's files have come back: empty stores, the application's code, its schema, its
// programs.
func (c *CotStudio) Renew(ctx context.Context) error {
	if c.deployment == nil {
		return errors.New("only who started the example system can make it anew")
	}
	ctx, cancel := context.WithTimeout(ctx, cotStart)
	defer cancel()
	err := sideBySide(cotStores, func(name string) error { return c.parts[name].Renew(ctx) })
	if err != nil {
		return fmt.Errorf("make the stores anew: %w", err)
	}
	for _, step := range []func(context.Context) error{c.deployCode, c.deployment.makeDatabase, c.deployment.migrate} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return sideBySide(cotPrograms, func(name string) error {
		if err := os.MkdirAll(c.parts[name].Dir, 0o755); err != nil {
			return fmt.Errorf("make the directory of %s: %w", name, err)
		}
		return c.parts[name].Start(ctx)
	})
}

// deployCode writes the application alone: it comes from its image, not from a copy.
func (c *CotStudio) deployCode(context.Context) error {
	return fs.WalkDir(cotstudio.Files, "app", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return c.write(name)
	})
}

// write deploys one file of the system. Python lists the directory that it imports
// from, so the application lies in one that everybody may list.
func (c *CotStudio) write(name string) error {
	text, err := cotstudio.Files.ReadFile(name)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(name, "app/") {
		name = "srv/" + name
	} else if name == "docker-compose.yml" {
		mode = 0o600
	}
	return errors.Join(os.MkdirAll(filepath.Dir(c.path(name)), 0o755), os.WriteFile(c.path(name), text, mode))
}
