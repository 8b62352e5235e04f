package compose

import (
	"context"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/image"

	"upkeep/internal/service"
)

// imageStore asks the engine for each image once.
type imageStore struct {
	in    *Instance
	known map[string]*image.InspectResponse // nil = the engine does not have it
}

func (s imageStore) get(ctx context.Context, name string) (*image.InspectResponse, error) {
	if found, asked := s.known[name]; asked {
		return found, nil
	}
	got, err := s.in.engine.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		s.known[name] = nil
		return nil, nil
	}
	if err != nil {
		return nil, s.in.failed("look at image "+name, err)
	}
	s.known[name] = &got.InspectResponse
	return s.known[name], nil
}

// images compares what every container of a declared service runs with what the
// files declare, and finds images that are not pinned.
func (in *Instance) images(ctx context.Context, v *service.Verdict, p *project, s *seen) error {
	store := imageStore{in, map[string]*image.InspectResponse{}}
	var unpinned []string
	for _, name := range p.ServiceNames() {
		declared := p.Services[name]
		if declared.Build == nil && !pinned(declared.Image) {
			unpinned = append(unpinned, name+" ("+declared.Image+")")
		}
		if in.expected(p, name).Expect == absent {
			continue
		}
		for _, c := range s.services[name] {
			if err := in.drift(ctx, v, store, compared{p: p, name: name, declared: declared, c: c}); err != nil {
				return err
			}
		}
	}
	if len(unpinned) > 0 {
		v.Warn("image-unpinned", "", service.Args{"images": unpinned})
	}
	return nil
}

// pinned reports whether a name means the same image tomorrow, as far as a tag can
// promise that.
func pinned(name string) bool {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return true // that it is no name is said by whoever pulls it
	}
	if _, digested := named.(reference.Digested); digested {
		return true
	}
	tagged, ok := named.(reference.Tagged)
	return ok && tagged.Tag() != "latest"
}

// sameImage compares names as the engine reads them: redis is
// docker.io/library/redis:latest.
func sameImage(a, b string) bool {
	full := func(name string) string {
		named, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return name
		}
		return reference.TagNameOnly(named).String()
	}
	return full(a) == full(b)
}

// drift reports how one container differs from its declaration: by its image, else
// by its configuration.
func (in *Instance) drift(ctx context.Context, v *service.Verdict, store imageStore, d compared) error {
	wanted := d.p.imageOf(d.declared)
	local, err := store.get(ctx, wanted)
	if err != nil {
		return err
	}
	args := service.Args{"service": d.name, "container": strings.TrimPrefix(d.c.Name, "/"), "image": wanted,
		"runs": d.c.Config.Image, "compose": in.command(d.p)}
	switch {
	case !sameImage(d.c.Config.Image, wanted):
		v.Warn("image-differs", d.name, args)
	case local == nil:
		v.Warn("image-gone", d.name, args)
	case local.ID != d.c.Image:
		args["have"], args["newer"] = short(d.c.Image), short(local.ID)
		v.Warn("image-outdated", d.name, args)
	}
	base, err := store.get(ctx, d.c.Image)
	if err != nil {
		return err
	}
	d.base = configOf(base)
	if differs := d.differences(); len(differs) > 0 {
		args["differs"], args["variables"] = differs, d.variables()
		v.Warn("config-drift", d.name, args)
	}
	return nil
}

// short is an image ID as people compare it.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
