package compose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"upkeep/internal/service"
)

// Labels of disposable containers.
const (
	labelDisposable = "upkeep.disposable" // the target that started it
	labelDirectory  = "upkeep.directory"  // what it works in
)

// removal bounds the removal of a container, which kills what runs in it.
const removal = time.Minute

// disposable is one idle container.
type disposable struct {
	in       *Instance
	id       string
	pid      int   // of the program that idles, on the engine's machine
	memory   int64 // limit in bytes
	forwards []*forward
}

// Disposable starts a container of the image that the service runs now, or of the
// declared one where it has no container.
func (in *Instance) Disposable(ctx context.Context, unit string, d service.Disposable) (service.Container, error) {
	p, all, err := in.containersOf(ctx, unit)
	if err != nil {
		return nil, err
	}
	image, limit, mounts := p.imageOf(p.Services[unit]), d.Memory, []mount.Mount{bind(d.Dir)}
	if len(all) > 0 {
		image, limit = all[0].Image, cmp.Or(limit, all[0].HostConfig.Memory)
	}
	if d.Data {
		if len(all) == 0 {
			return nil, fmt.Errorf("give the volumes of %s, which has no container: %w", unit, service.ErrNotFound)
		}
		mounts = append(mounts, volumesOf(all[0])...)
	}
	if limit == 0 {
		if limit, err = in.halfOfMemory(ctx); err != nil {
			return nil, err
		}
	}
	labels, err := in.labelsFor(ctx, image, unit, d.Dir)
	if err != nil {
		return nil, err
	}
	return in.idle(ctx, idling(image, labels), isolated(mounts, limit, d.Data))
}

func bind(dir string) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: dir, Target: dir}
}

// volumesOf names also volumes without a name of their own, by their ID: the engine
// would remove them together with the container if they were only inherited.
func volumesOf(c container.InspectResponse) (all []mount.Mount) {
	for _, m := range c.Mounts {
		given := mount.Mount{Type: m.Type, Source: m.Source, Target: m.Destination, ReadOnly: !m.RW}
		switch m.Type {
		case mount.TypeVolume:
			given.Source, given.VolumeOptions = m.Name, &mount.VolumeOptions{NoCopy: true}
		case mount.TypeBind:
		default:
			continue // what lies in memory is the service's alone
		}
		all = append(all, given)
	}
	return all
}

// halfOfMemory is the limit where the service has none: the machine must live on.
func (in *Instance) halfOfMemory(ctx context.Context) (int64, error) {
	got, err := in.engine.Info(ctx, client.InfoOptions{})
	if err != nil {
		return 0, in.failed("ask how much memory there is", err)
	}
	return got.Info.MemTotal / 2, nil
}

// labelsFor blanks what compose wrote into an image that it built: the container
// would inherit it and count as one of the project's.
func (in *Instance) labelsFor(ctx context.Context, image, unit, dir string) (map[string]string, error) {
	got, err := in.engine.ImageInspect(ctx, image)
	if errdefs.IsNotFound(err) {
		return nil, &service.Fault{ID: "compose.no-image", Args: service.Args{"service": unit, "image": image},
			Err: fmt.Errorf("start a container of %s: %w: %w", image, service.ErrNoScratch, err)}
	}
	if err != nil {
		return nil, in.failed("look at image "+image, err)
	}
	labels := map[string]string{labelDisposable: in.env.Target, labelDirectory: dir}
	if got.Config == nil {
		return labels, nil
	}
	for name := range got.Config.Labels {
		if strings.HasPrefix(name, "com.docker.compose.") {
			labels[name] = ""
		}
	}
	return labels, nil
}

// idling waits for programs to be run in it. Without a network nothing but localhost
// has an address, and some servers look for that of their host.
func idling(image string, labels map[string]string) *container.Config {
	return &container.Config{Image: image, Labels: labels, Hostname: "localhost", Entrypoint: []string{"sleep"}, Cmd: []string{"infinity"},
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}}
}

// isolated leaves a container no network and no rights; one that works on the
// service's files keeps those that root needs for files of others.
func isolated(mounts []mount.Mount, memory int64, data bool) *container.HostConfig {
	init := true
	host := &container.HostConfig{NetworkMode: "none", Mounts: mounts, Init: &init, LogConfig: container.LogConfig{Type: "none"},
		CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		Resources: container.Resources{Memory: memory, MemorySwap: memory}}
	if data {
		host.CapAdd = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER"}
	}
	return host
}

func (in *Instance) idle(ctx context.Context, config *container.Config, host *container.HostConfig) (service.Container, error) {
	made, err := in.engine.ContainerCreate(ctx, client.ContainerCreateOptions{Config: config, HostConfig: host})
	if err != nil {
		return nil, in.failed("make a disposable container", err)
	}
	d := &disposable{in: in, id: made.ID, memory: host.Memory}
	if _, err := in.engine.ContainerStart(ctx, d.id, client.ContainerStartOptions{}); err != nil {
		return nil, errors.Join(in.failed("start a disposable container", err), d.Close())
	}
	got, err := in.engine.ContainerInspect(ctx, d.id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, errors.Join(in.failed("look at a disposable container", err), d.Close())
	}
	d.pid = got.Container.State.Pid
	return d, nil
}

// Run runs a program in the container.
func (d *disposable) Run(ctx context.Context, c service.Cmd) error { return d.in.execute(ctx, d.id, c) }

// Memory is the limit of the container.
func (d *disposable) Memory() int64 { return d.memory }

// Close removes the container with what runs in it; it may be called again.
func (d *disposable) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), removal)
	defer cancel()
	for _, f := range d.forwards {
		f.close()
	}
	d.forwards = nil
	return d.in.removeContainer(ctx, d.id)
}

func (in *Instance) removeContainer(ctx context.Context, id string) error {
	_, err := in.engine.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsConflict(err) { // somebody else is removing it: it must be gone before its directory goes
		err = in.untilRemoved(ctx, id)
	}
	if err = in.unlessGone(err); err != nil {
		return fmt.Errorf("remove disposable container %.12s: %w", id, err)
	}
	return nil
}

func (in *Instance) untilRemoved(ctx context.Context, id string) error {
	waited := in.engine.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	select {
	case err := <-waited.Error:
		return err
	case <-waited.Result:
		return nil
	}
}

// unlessGone is nil where what was asked about is not there any more.
func (in *Instance) unlessGone(err error) error {
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	return in.failed("ask the engine", err)
}

// Discard removes the disposable containers of these directories.
func (in *Instance) Discard(ctx context.Context, dirs []string) error {
	list, err := in.engine.ContainerList(ctx, client.ContainerListOptions{All: true,
		Filters: make(client.Filters).Add("label", labelDisposable)})
	if err != nil {
		return in.failed("list disposable containers", err)
	}
	for _, c := range list.Items {
		if slices.Contains(dirs, c.Labels[labelDirectory]) {
			err = errors.Join(err, in.removeContainer(ctx, c.ID))
		}
	}
	return err
}
