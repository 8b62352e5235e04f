package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// composeMajor is the first docker compose that takes the words used here.
const composeMajor = 2

// recreate lets docker compose make the containers of one service anew from the
// images that are here, and waits until they are up. What of a file becomes a
// container is compose's own knowledge, which the engine's API has not. The error
// wraps ErrNoTool where there is no docker compose.
func (in *Instance) recreate(ctx context.Context, p *project, name string) error {
	program, args, err := in.composeProgram(ctx)
	if err != nil {
		return err
	}
	args = slices.Concat(args, in.composeArgs(p), []string{"up", "--detach", "--no-deps", "--no-build", "--pull", "never", name})
	// It reads ${…} from the same environment as load, and asks the declared engine.
	env := append(os.Environ(), "DOCKER_HOST="+in.cfg.Host, "DOCKER_CONTEXT=")
	if err := in.env.Run(ctx, service.Cmd{Program: program, Args: args, Env: env}); err != nil {
		return fmt.Errorf("make %s anew: %w", name, err)
	}
	return in.Start(ctx, name)
}

// composeProgram is docker's plugin, else the program of its own.
func (in *Instance) composeProgram(ctx context.Context) (program string, args []string, err error) {
	var said bytes.Buffer
	asked := in.env.Run(ctx, service.Cmd{Program: "docker", Args: []string{"compose", "version", "--short"}, Stdout: &said})
	if asked == nil && atLeast(strings.TrimSpace(said.String()), composeMajor) {
		return "docker", []string{"compose"}, nil
	}
	path, _, err := in.env.Find(ctx, "docker-compose", composeMajor)
	if err != nil {
		return "", nil, errors.Join(err, ctx.Err())
	}
	return path, nil, nil
}

func atLeast(version string, major int) bool {
	var n int
	_, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.", &n)
	return err == nil && n >= major
}
