package compose

import (
	"context"
	"maps"
	"slices"

	"github.com/moby/moby/client"

	"upkeep/internal/service"
)

// volumes finds declared volumes that the engine does not have. An external one
// is made by nobody else: without it nothing that uses it starts.
func (in *Instance) volumes(ctx context.Context, v *service.Verdict, p *project) error {
	list, err := in.engine.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return in.failed("list volumes", err)
	}
	there := map[string]bool{}
	for _, volume := range list.Items {
		there[volume.Name] = true
	}
	used := p.WithoutUnnecessaryResources().Volumes
	for _, key := range slices.Sorted(maps.Keys(used)) {
		declared := used[key]
		if there[declared.Name] {
			continue
		}
		args := service.Args{"volume": declared.Name, "external": bool(declared.External), "compose": in.command(p)}
		if declared.External {
			v.Crit("volume-missing", declared.Name, args)
		} else {
			v.Warn("volume-missing", declared.Name, args)
		}
	}
	v.Set("volumes", len(used))
	return nil
}
