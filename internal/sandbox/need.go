package sandbox

import (
	"context"
	"errors"
	"path/filepath"

	"upkeep/internal/service"
)

// Need says where a program would be taken from, for a Prober: this machine, else the
// container of the target's server or, where that does not run, its image. fits judges
// its version; nil takes any.
func Need(ctx context.Context, env service.Env, n service.Need, program string, major int, fits func(version string) bool) service.Need {
	path, version, err := env.Find(ctx, program, major)
	if err == nil && filepath.IsAbs(path) && (fits == nil || fits(version)) {
		n.Found = path + " " + version
		return n
	}
	if env.RunsIn.Target == "" {
		return n
	}
	version, err = Inside(ctx, env, program, major)
	stopped := errors.Is(err, service.ErrUnreachable)
	if stopped {
		version, err = inImage(ctx, env, program, major)
	}
	if err == nil && (fits == nil || fits(version)) {
		n.Found, n.Container, n.Image = program+" "+version, env.RunsIn.String(), stopped
	}
	return n
}
