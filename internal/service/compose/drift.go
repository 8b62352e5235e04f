package compose

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/mount"
)

// compared is one container beside its declaration. The hash that compose puts on
// a container cannot be used: it is made of the JSON of the very release that made
// the container, and another release's JSON of the same service differs.
type compared struct {
	p        *project
	name     string
	declared types.ServiceConfig
	c        container.InspectResponse
	base     imageConfig // what the image brings
}

// imageConfig is the part of an image that a container inherits.
type imageConfig struct {
	command, entrypoint, env, health []string
	user, workingDir                 string
	volumes                          map[string]struct{}
}

// configOf is empty for an image that the engine does not have.
func configOf(i *image.InspectResponse) imageConfig {
	if i == nil || i.Config == nil {
		return imageConfig{}
	}
	c := imageConfig{command: i.Config.Cmd, entrypoint: i.Config.Entrypoint, env: i.Config.Env,
		user: i.Config.User, workingDir: i.Config.WorkingDir, volumes: i.Config.Volumes}
	if i.Config.Healthcheck != nil {
		c.health = i.Config.Healthcheck.Test
	}
	return c
}

// differences are the keys of the compose file that would change the container if
// it were made anew.
func (d compared) differences() (keys []string) {
	for _, key := range []struct {
		name    string
		differs bool
	}{
		{"command", !slices.Equal(d.c.Config.Cmd, d.command())},
		{"entrypoint", !slices.Equal(d.c.Config.Entrypoint, d.entrypoint())},
		{"environment", len(d.variables()) > 0},
		{"healthcheck", !slices.Equal(d.healthNow(), d.health())},
		{"labels", d.labelsDiffer()},
		{"logging", d.loggingDiffers()},
		{"mem_limit", d.c.HostConfig.Memory != d.memory()},
		{"networks", d.networksDiffer()},
		{"ports", !maps.Equal(d.portsNow(), d.ports())},
		{"privileged", d.c.HostConfig.Privileged != d.declared.Privileged},
		{"restart", d.restartDiffers()},
		{"user", d.c.Config.User != or(d.declared.User, d.base.user)},
		{"volumes", d.mountsDiffer()},
		{"working_dir", path.Clean("/"+d.c.Config.WorkingDir) != path.Clean("/"+or(d.declared.WorkingDir, d.base.workingDir))},
	} {
		if key.differs {
			keys = append(keys, key.name)
		}
	}
	return keys
}

func or(text, instead string) string {
	if text != "" {
		return text
	}
	return instead
}

// command and entrypoint are inherited as the engine does it: an entrypoint of the
// file takes the image's command away.
func (d compared) command() []string {
	if len(d.declared.Command) == 0 && len(d.declared.Entrypoint) == 0 {
		return d.base.command
	}
	return d.declared.Command
}

func (d compared) entrypoint() []string {
	if d.declared.Entrypoint == nil {
		return d.base.entrypoint
	}
	return d.declared.Entrypoint
}

// variables are the names of those with another value than declared, missing, or
// declared by nobody. Proxies come from the settings of docker's user, a PATH that an
// image lacks from the engine.
func (d compared) variables() (names []string) {
	now, wanted := variables(d.c.Config.Env), variables(d.base.env)
	for name, value := range d.declared.Environment {
		if value != nil {
			wanted[name] = *value
		}
	}
	for name := range now {
		if _, known := wanted[name]; !known && name != "PATH" && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			names = append(names, name)
		}
	}
	for name, value := range wanted {
		if present, there := now[name]; !there || present != value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// variables leaves out a bare name: compose writes it for a variable that it should
// pass through and that nobody has set.
func variables(lines []string) map[string]string {
	all := map[string]string{}
	for _, line := range lines {
		if name, value, set := strings.Cut(line, "="); set {
			all[name] = value
		}
	}
	return all
}

func (d compared) health() []string {
	switch h := d.declared.HealthCheck; {
	case h == nil || !h.Disable && len(h.Test) == 0:
		return d.base.health
	case h.Disable:
		return []string{"NONE"}
	default:
		return h.Test
	}
}

func (d compared) healthNow() []string {
	if d.c.Config.Healthcheck == nil {
		return nil
	}
	return d.c.Config.Healthcheck.Test
}

func (d compared) labelsDiffer() bool {
	for name, value := range d.declared.Labels {
		if present, there := d.c.Config.Labels[name]; !there || present != value {
			return true
		}
	}
	return false
}

// loggingDiffers leaves a service without logging: to the engine's default, which
// is not known here.
func (d compared) loggingDiffers() bool {
	declared, now := d.declared.Logging, d.c.HostConfig.LogConfig
	if declared == nil {
		return false
	}
	return declared.Driver != "" && declared.Driver != now.Type || !maps.Equal(declared.Options, now.Config)
}

func (d compared) memory() int64 {
	if deploy := d.declared.Deploy; deploy != nil && deploy.Resources.Limits != nil && deploy.Resources.Limits.MemoryBytes != 0 {
		return int64(deploy.Resources.Limits.MemoryBytes)
	}
	return int64(d.declared.MemLimit)
}

// networksDiffer looks for a declared network that the container is not in, or one
// that nobody declared. One that borrows its network has none of its own.
func (d compared) networksDiffer() bool {
	if mode := d.declared.NetworkMode; mode != "" {
		borrowed := strings.Contains(mode, ":")
		return !borrowed && string(d.c.HostConfig.NetworkMode) != mode
	}
	wanted := map[string]bool{}
	for key := range d.declared.Networks {
		wanted[d.p.Networks[key].Name] = true
	}
	if d.c.NetworkSettings == nil || len(wanted) != len(d.c.NetworkSettings.Networks) {
		return true
	}
	for name := range d.c.NetworkSettings.Networks {
		if !wanted[name] {
			return true
		}
	}
	return false
}

func (d compared) ports() map[string]bool {
	all := map[string]bool{}
	for _, port := range d.declared.Ports {
		all[binding(port.HostIP, port.Published, port.Target, or(port.Protocol, "tcp"))] = true
	}
	return all
}

func (d compared) portsNow() map[string]bool {
	all := map[string]bool{}
	for port, bindings := range d.c.HostConfig.PortBindings {
		for _, b := range bindings {
			address := ""
			if b.HostIP.IsValid() {
				address = b.HostIP.String()
			}
			all[binding(address, b.HostPort, uint32(port.Num()), string(port.Proto()))] = true
		}
	}
	return all
}

func binding(address, published string, target uint32, protocol string) string {
	if address == "0.0.0.0" {
		address = ""
	}
	if published == "0" {
		published = ""
	}
	return fmt.Sprintf("%s:%s>%d/%s", address, published, target, protocol)
}

// restartDiffers leaves deploy.restart_policy alone: its words are not the
// engine's.
func (d compared) restartDiffers() bool {
	if d.declared.Deploy != nil && d.declared.Deploy.RestartPolicy != nil {
		return false
	}
	now := d.c.HostConfig.RestartPolicy
	policy := or(string(now.Name), "no")
	if now.MaximumRetryCount > 0 {
		policy = fmt.Sprintf("%s:%d", policy, now.MaximumRetryCount)
	}
	return policy != or(d.declared.Restart, "no")
}

// mountsDiffer compares volumes and directories of the machine by their place in
// the container. What is borrowed from other containers is not known here.
func (d compared) mountsDiffer() bool {
	if len(d.declared.VolumesFrom) > 0 {
		return false
	}
	wanted := d.mounts()
	for _, m := range d.c.Mounts {
		_, byImage := d.base.volumes[m.Destination]
		want, declared := wanted[m.Destination]
		delete(wanted, m.Destination)
		switch {
		case m.Type != mount.TypeBind && m.Type != mount.TypeVolume, d.filled(m.Destination):
		case !declared && !byImage:
			return true
		case declared && want != mounted(string(m.Type), or(m.Name, m.Source), !m.RW) && want != mounted(string(m.Type), "", !m.RW):
			return true
		}
	}
	return len(wanted) > 0
}

func (d compared) mounts() map[string]string {
	all := map[string]string{}
	for _, v := range d.declared.Volumes {
		source := v.Source
		switch v.Type {
		case types.VolumeTypeVolume:
			if named, ok := d.p.Volumes[source]; ok {
				source = named.Name
			}
		case types.VolumeTypeBind:
		default:
			continue
		}
		all[path.Clean(v.Target)] = mounted(v.Type, source, v.ReadOnly)
	}
	return all
}

func mounted(sort, source string, readOnly bool) string {
	return fmt.Sprintf("%s %s %t", sort, source, readOnly)
}

// filled reports whether a place is that of a secret or config, which compose
// mounts from files.
func (d compared) filled(place string) bool {
	for _, s := range d.declared.Secrets {
		if place == s.Target || place == "/run/secrets/"+or(s.Target, s.Source) {
			return true
		}
	}
	for _, c := range d.declared.Configs {
		if place == or(c.Target, "/"+c.Source) {
			return true
		}
	}
	return false
}
