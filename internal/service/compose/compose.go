// Package compose is the kind for a Docker Compose project: it compares what its
// files declare with what the engine runs, samples its containers, stops and
// starts its services, and runs programs in them and in disposable containers of
// their images. It asks the engine's API.
//
// It is not for creating the project's own containers: what the files declare is
// brought up by docker compose, which a fix names, and which a step runs where a
// service has to be made anew.
package compose

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/moby/moby/client"

	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("compose", open, text, example).Monitored(monitoring)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Identifier = (*Instance)(nil)
	_ service.Switcher   = (*Instance)(nil)
	_ service.Maintainer = (*Instance)(nil)
	_ service.Doer       = (*Instance)(nil)
	_ service.Undoer     = (*Instance)(nil)
	_ service.Prober     = (*Instance)(nil)
	_ service.Containers = (*Instance)(nil)
)

// Instance is one declared project on one engine. Its client connects with the
// first question and keeps the connection until Close.
type Instance struct {
	env    service.Env
	cfg    Config
	engine *client.Client
}

func open(env service.Env, cfg Config) (*Instance, error) {
	engine, err := client.New(client.WithHost(cfg.Host))
	if err != nil {
		return nil, fmt.Errorf("address of the engine: %w", err)
	}
	return &Instance{env: env, cfg: cfg, engine: engine}, nil
}

// Close gives the connections back.
func (in *Instance) Close() error { return in.engine.Close() }

// Identity names the engine by its own ID, so that another engine behind the
// same socket shows, its major version, and the project.
func (in *Instance) Identity(ctx context.Context) (string, error) {
	p, err := in.load(ctx)
	if err != nil {
		return "", err
	}
	got, err := in.engine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", in.failed("ask who it is", err)
	}
	major, _, _ := strings.Cut(got.Info.ServerVersion, ".")
	return fmt.Sprintf("project %s on Docker %s, engine %s", p.Name, major, got.Info.ID), nil
}

// Probe says whether the engine lets us in.
func (in *Instance) Probe(ctx context.Context) []service.Need {
	need := service.Need{Name: "Docker engine", Use: "check"}
	if got, err := in.engine.ServerVersion(ctx, client.ServerVersionOptions{}); err == nil {
		need.Found = in.cfg.Host + " " + got.Version
	}
	return []service.Need{need, in.composeNeed(ctx)}
}

func (in *Instance) composeNeed(ctx context.Context) service.Need {
	need := service.Need{Name: fmt.Sprintf("docker compose %d", composeMajor), Use: "maintain"}
	if program, args, err := in.composeProgram(ctx); err == nil {
		need.Found = strings.Join(append([]string{program}, args...), " ")
	}
	return need
}
