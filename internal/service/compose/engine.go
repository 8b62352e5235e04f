package compose

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"upkeep/internal/service"
)

// Labels that compose puts on a container.
const (
	labelProject = "com.docker.compose.project"
	labelService = "com.docker.compose.service"
	labelOneOff  = "com.docker.compose.oneoff" // "True" for docker compose run
)

// seen is what the engine runs.
type seen struct {
	version   string                                 // of the engine
	services  map[string][]container.InspectResponse // of the project, by service, as listed
	oneOff    []string                               // containers of docker compose run, by name
	unmanaged []string                               // containers of no compose project, by name
}

// look asks for all containers, and for those of the project in full. One that
// vanishes in between is gone.
func (in *Instance) look(ctx context.Context, name string) (*seen, error) {
	version, err := in.engine.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return nil, in.failed("ask its version", err)
	}
	list, err := in.engine.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, in.failed("list containers", err)
	}
	s := &seen{version: version.Version, services: map[string][]container.InspectResponse{}}
	for _, c := range list.Items {
		switch {
		case c.Labels[labelDisposable] != "": // our own
		case c.Labels[labelProject] == "":
			s.unmanaged = append(s.unmanaged, nameOf(c))
		case c.Labels[labelProject] != name:
		case c.Labels[labelOneOff] == "True":
			s.oneOff = append(s.oneOff, nameOf(c))
		default:
			if err := in.add(ctx, s, c); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (in *Instance) add(ctx context.Context, s *seen, c container.Summary) error {
	got, err := in.engine.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return in.failed("look at container "+nameOf(c), err)
	}
	of := c.Labels[labelService]
	s.services[of] = append(s.services[of], got.Container)
	return nil
}

func nameOf(c container.Summary) string {
	if len(c.Names) == 0 {
		return c.ID[:12]
	}
	return strings.TrimPrefix(c.Names[0], "/")
}

// failed turns what the client says into the words of a person. The client keeps
// no cause for a socket that may not be opened, only the sentence.
func (in *Instance) failed(doing string, err error) error {
	args := service.Args{"host": in.cfg.Host}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, context.DeadlineExceeded):
		return &service.Fault{ID: "compose.engine-silent", Args: args, Err: fmt.Errorf("%s: %w: %w", doing, service.ErrUnreachable, err)}
	case strings.Contains(err.Error(), "permission denied"):
		return &service.Fault{ID: "compose.engine-denied", Args: args, Err: fmt.Errorf("%s: %w: %w", doing, service.ErrDenied, err)}
	case client.IsErrConnectionFailed(err):
		return &service.Fault{ID: "compose.no-engine", Args: args, Err: fmt.Errorf("%s: %w: %w", doing, service.ErrUnreachable, err)}
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", doing, service.ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, service.ErrUnreachable, err)
}
