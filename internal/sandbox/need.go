package sandbox

import (
	"context"
	"path/filepath"

	"upkeep/internal/service"
)

// Need says where a program would be taken from, for a Prober: this machine, else the
// container of the target's server. fits judges its version; nil takes any.
func Need(ctx context.Context, env service.Env, n service.Need, program string, major int, fits func(version string) bool) service.Need {
	path, version, err := env.Find(ctx, program, major)
	if err == nil && filepath.IsAbs(path) && (fits == nil || fits(version)) {
		n.Found = path + " " + version
		return n
	}
	if env.RunsIn.Target == "" {
		return n
	}
	if version, err = Inside(ctx, env, program, major); err == nil && (fits == nil || fits(version)) {
		n.Found, n.Container = program+" "+version, env.RunsIn.String()
	}
	return n
}
