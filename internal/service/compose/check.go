package compose

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/api/types/container"

	"upkeep/internal/service"
)

// Check compares the files with the engine, once.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	p, err := in.load(ctx)
	if err != nil {
		return v, err
	}
	s, err := in.look(ctx, p.Name)
	if err != nil {
		return v, err
	}
	grown, err := in.restarts(ctx, s)
	if err != nil {
		return v, err
	}
	facts(&v, p, s)
	for _, name := range p.ServiceNames() {
		j := judge{v: &v, in: in, p: p, name: name, declared: p.Services[name], want: in.expected(p, name), grown: grown}
		j.service(s.services[name])
	}
	in.undeclared(&v, p, s)
	in.unknown(&v, p)
	if len(p.unset) > 0 {
		v.Warn("variables-unset", "", service.Args{"names": p.unset, "file": in.envFile(p.WorkingDir)})
	}
	in.logs(&v, p, s)
	return v, errors.Join(in.images(ctx, &v, p, s), in.volumes(ctx, &v, p), in.volumeFacts(ctx, &v, p))
}

func facts(v *service.Verdict, p *project, s *seen) {
	states, alive := map[string]string{}, 0
	for name, all := range s.services {
		for _, c := range all {
			states[name] = stateOf(c)
			if c.State.Running && !c.State.Restarting {
				alive++
			}
		}
	}
	v.Set("project", p.Name)
	v.Set("version", s.version)
	v.Set("services", len(p.Services))
	v.Set("running", alive)
	v.Set("states", states)
	v.Set("disabled", append([]string{}, slices.Sorted(maps.Keys(p.DisabledServices))...))
	v.Set("one_off", len(s.oneOff))
	v.Set("unmanaged", len(s.unmanaged)) // containers of no compose project
	v.Set("unmanaged_names", append([]string{}, s.unmanaged[:min(len(s.unmanaged), maxNames)]...))
}

// maxNames bounds a list of names that nobody declared.
const maxNames = 20

func stateOf(c container.InspectResponse) string {
	if c.State.Running && c.State.Health != nil {
		return string(c.State.Status) + ", " + string(c.State.Health.Status)
	}
	return string(c.State.Status)
}

// judge is the judgement of one service.
type judge struct {
	v        *service.Verdict
	in       *Instance
	p        *project
	name     string
	declared types.ServiceConfig
	want     Expected
	grown    map[string]int // restarts since the last check, by container ID
}

func (j judge) service(all []container.InspectResponse) {
	wanted := j.declared.GetScale()
	if j.want.Expect == absent {
		wanted = 0
	}
	args := service.Args{"service": j.name, "wanted": wanted, "there": len(all), "compose": j.in.command(j.p)}
	switch {
	case len(all) == 0 && wanted > 0:
		j.v.Crit("missing", j.name, args)
	case len(all) < wanted:
		j.v.Crit("too-few", j.name, args)
	case len(all) > wanted && wanted > 0:
		j.v.Warn("too-many", j.name, args)
	}
	for _, c := range all {
		j.container(c, wanted)
	}
}

// container gives the gravest thing that can be said of a container, and beside it
// that it ran out of memory.
func (j judge) container(c container.InspectResponse, wanted int) {
	add, args := j.args(c)
	switch {
	case !c.State.OOMKilled || wanted == 0:
	case !c.State.Running:
		add(service.Critical, "oom-killed", args)
	case j.in.since(c.State.FinishedAt) < lately.Seconds(): // it has come back; the engine keeps the mark until its next end
		add(service.Warning, "oom-killed", args)
	}
	switch {
	case wanted == 0:
		if c.State.Running {
			add(service.Warning, "unexpected", args)
		}
	case j.loops(c):
		add(service.Critical, "restart-loop", args)
	case c.State.Paused:
		add(service.Critical, "paused", args)
	case c.State.Running:
		j.alive(c, add, args)
	case c.State.Status == container.StateCreated:
		add(service.Critical, "not-started", args)
	default:
		j.ended(c, add, args)
	}
}

// lately is how long an end that was mended by a restart is told.
const lately = 24 * time.Hour

type adder func(severity service.Severity, slug string, args service.Args)

// args are what is known of a container. Its subject is the service, or the
// container itself where there are several.
func (j judge) args(c container.InspectResponse) (adder, service.Args) {
	subject, name := j.name, strings.TrimPrefix(c.Name, "/")
	if j.declared.GetScale() > 1 {
		subject = name
	}
	args := service.Args{
		"service": j.name, "container": name, "compose": j.in.command(j.p), "code": c.State.ExitCode,
		"restarts": c.RestartCount, "grown": j.grown[c.ID], "for": j.in.since(c.State.StartedAt), "ended": j.in.since(c.State.FinishedAt),
		"limit": c.HostConfig.Memory, "reason": j.p.hide(c, c.State.Error), "oom": c.State.OOMKilled,
	}
	return func(severity service.Severity, slug string, args service.Args) {
		j.v.Findings = append(j.v.Findings, service.Finding{ID: slug, Severity: severity, Subject: subject, Args: args})
	}, args
}

// since is how long a moment that the engine names is past, in seconds; 0 for a
// moment that never was.
func (in *Instance) since(moment string) float64 {
	at, err := time.Parse(time.RFC3339Nano, moment)
	if err != nil || at.Year() < 2000 {
		return 0
	}
	return max(0, in.env.Now().Sub(at).Seconds())
}

// loops: one restart is over in a moment. A container that ends at once is waiting
// for its next try when it is looked at, one that lives for some seconds runs: what
// both have in common are restarts by now and a short life.
func (j judge) loops(c container.InspectResponse) bool {
	const many, young = 3, 120
	if c.RestartCount < max(many, j.want.Restarts+1) {
		return false
	}
	return c.State.Restarting || c.State.Running && j.grown[c.ID] > 0 && j.in.since(c.State.StartedAt) < young
}

func (j judge) alive(c container.InspectResponse, add adder, args service.Args) {
	if health := c.State.Health; health != nil {
		switch health.Status {
		case container.Unhealthy:
			args["failures"], args["said"] = health.FailingStreak, j.p.hide(c, lastLine(health))
			add(service.Critical, "unhealthy", args)
		case container.Starting:
			add(service.Unknown, "health-unknown", args)
		}
	}
	if c.State.Restarting { // its counter grows when it is up again
		args["grown"] = j.grown[c.ID] + 1
	}
	if args["grown"].(int) > j.want.Restarts {
		add(service.Warning, "restarted", args)
	}
}

// ended: a container that ended with 0 may have been a job, or a server that was
// told to stop. Only a declaration tells these apart.
func (j judge) ended(c container.InspectResponse, add adder, args service.Args) {
	switch {
	case c.State.OOMKilled: // told already
	case c.State.ExitCode != 0:
		add(service.Critical, "exited", args)
	case j.want.Expect == exited:
	case j.serves():
		add(service.Critical, "stopped", args)
	default:
		add(service.Warning, "ended", args)
	}
}

// serves reports whether a service can be no job: it was said to run, is restarted
// by the engine, has ports or a health check.
func (j judge) serves() bool {
	return j.in.cfg.Services[j.name].Expect == running || j.declared.HealthCheck != nil || len(j.declared.Ports) > 0 ||
		j.declared.Restart == "always" || j.declared.Restart == "unless-stopped"
}

// undeclared are containers that carry the project's name, of services that the
// files no longer have. Those of a profile that is not enabled are declared.
func (in *Instance) undeclared(v *service.Verdict, p *project, s *seen) {
	for _, name := range slices.Sorted(maps.Keys(s.services)) {
		_, enabled := p.Services[name]
		_, disabled := p.DisabledServices[name]
		if enabled || disabled {
			continue
		}
		for _, c := range s.services[name] {
			of := strings.TrimPrefix(c.Name, "/")
			v.Warn("orphan", of, service.Args{"container": of, "service": name, "state": stateOf(c), "compose": in.command(p)})
		}
	}
}

// unknown finds names in the declaration that the files do not have: a slip of the
// pen there would leave the service that is meant with the defaults.
func (in *Instance) unknown(v *service.Verdict, p *project) {
	known := p.AllServices()
	for _, name := range slices.Sorted(maps.Keys(in.cfg.Services)) {
		if _, there := known[name]; !there && in.cfg.Services[name].Expect != absent {
			v.Warn("not-in-files", name, service.Args{"service": name, "known": slices.Sorted(maps.Keys(known))})
		}
	}
}
