package inventory

import (
	"context"
	"log/slog"
	"time"

	"upkeep/internal/command"
	"upkeep/internal/config"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// World is the machine around the targets, handed in once at start-up.
type World struct {
	Log     *slog.Logger
	Now     func() time.Time
	Getenv  func(string) string
	Scratch Scratch
	State   func(system, target string) service.State
	Seen    func(value string) // is told every secret that is read; nil: nobody wants to know
	Guard   func(ctx context.Context, target string, w service.Window) (service.Guard, error)
}

// Open resolves a declaration in this world.
func (w World) Open(cfg *config.Config) *Inventory {
	tools := &command.Runner{Paths: cfg.Tools}
	secrets := secret.Resolver{Base: cfg.Base, Getenv: w.Getenv, Run: tools.Output, Seen: w.Seen}
	var inv *Inventory
	inv = New(cfg, func(target string) service.Env {
		return service.Env{
			Target: target,
			Log:    w.Log.With("target", target),
			Base:   cfg.Base,
			Secret: secrets.Resolve,
			Run:    func(ctx context.Context, c service.Cmd) error { return run(ctx, tools, c) },
			Find: func(ctx context.Context, program string, major int) (string, string, error) {
				return find(ctx, tools, program, major)
			},
			Guard: func(ctx context.Context, window service.Window) (service.Guard, error) {
				return w.Guard(ctx, target, window)
			},
			Peer:      func(name string) (service.Instance, error) { return inv.peer(name) },
			State:     w.State(cfg.System, target),
			Undo:      cfg.UndoFor().Std(),
			Dir:       func(purpose string) (string, func() error, error) { return w.Scratch.Dir(target, purpose) },
			Leftovers: func(purpose string) ([]string, error) { return w.Scratch.Leftovers(target, purpose) },
			Now:       w.Now,
		}
	})
	return inv
}
