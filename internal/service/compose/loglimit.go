package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"

	"upkeep/internal/service"
)

const (
	opLimit   = "limit-log"   // of one service: the override file, then its containers anew
	opUnlimit = "unlimit-log" // takes it back
	opAdvise  = "advise-log"  // says what keeps a limit from being set
)

// limitArgs is what limiting the log of a service needs, and what taking it back does.
type limitArgs struct {
	Service    string   `json:"service"`
	Containers []string `json:"containers"` // IDs of those without a limit
	Write      bool     `json:"write"`      // false = the files have a limit already, only the containers are old
	Reason     string   `json:"reason,omitempty"`
	Users      []string `json:"users,omitempty"`
}

// limits is a step for each service whose running containers log without end.
// Nothing is cut: a limit comes with a new container. Jobs and what stands still get
// theirs when they are next made.
func (in *Instance) limits(ctx context.Context, p *project, s *seen) (steps []service.Step, err error) {
	store := imageStore{in, map[string]*image.InspectResponse{}}
	for _, name := range p.ServiceNames() {
		var endless []container.InspectResponse
		for _, c := range s.services[name] {
			if endlessLog(c) && c.State.Running && in.expected(p, name).Expect == running {
				endless = append(endless, c)
			}
		}
		if len(endless) == 0 {
			continue
		}
		step, err := in.limitStep(ctx, p, store, name, endless)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func (in *Instance) limitStep(ctx context.Context, p *project, store imageStore, name string, endless []container.InspectResponse) (service.Step, error) {
	args := limitArgs{Service: name, Write: endlessIn(p.Services[name]), Users: p.borrowers(name)}
	title := service.Args{"service": name, "file": overrideName, "write": args.Write, "target": in.env.Target}
	var bytes int64
	for _, c := range endless {
		args.Containers = append(args.Containers, c.ID)
		size, _ := in.logSize(c)
		bytes += size
	}
	slices.Sort(args.Containers)
	op, risk := opLimit, service.Disruptive
	switch {
	case len(args.Users) > 0:
		op, risk, args.Reason = opAdvise, service.ReadOnly, "shared"
	case args.Write && in.overridePath() == "":
		op, risk, args.Reason = opAdvise, service.ReadOnly, "undeclared"
	default:
		also, err := in.pending(ctx, p, store, name, endless)
		if err != nil {
			return service.Step{}, err
		}
		title["also"] = also
	}
	title["reason"], title["users"] = args.Reason, args.Users
	return in.logStep(op, risk, args, title)
}

func (in *Instance) logStep(op string, risk service.Risk, args limitArgs, title service.Args) (service.Step, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return service.Step{}, fmt.Errorf("plan the log limit of %s: %w", args.Service, err)
	}
	return service.Step{ID: op + " " + args.Service, Target: in.env.Target, Op: op, Args: text, Risk: risk,
		Title: service.Message{ID: "compose." + op, Args: title}}, nil
}

// endlessIn reports whether the files leave the log of a service without a limit.
func endlessIn(s types.ServiceConfig) bool {
	l := s.Logging
	return l == nil || (l.Driver == "" || l.Driver == "json-file") && l.Options["max-size"] == ""
}

// borrowers are services that live in the network, processes or volumes of another's
// container: they lose them when it is made anew.
func (p *project) borrowers(name string) (users []string) {
	mode := "service:" + name
	for _, other := range p.ServiceNames() {
		s := p.Services[other]
		from := slices.ContainsFunc(s.VolumesFrom, func(v string) bool { return v == name || strings.HasPrefix(v, name+":") })
		if s.NetworkMode == mode || s.Ipc == mode || s.Pid == mode || from {
			users = append(users, other)
		}
	}
	return users
}

// pending is what else of the files takes effect with a new container.
func (in *Instance) pending(ctx context.Context, p *project, store imageStore, name string, all []container.InspectResponse) (keys []string, err error) {
	for _, c := range all {
		local, err := store.get(ctx, p.imageOf(p.Services[name]))
		if err != nil {
			return nil, err
		}
		base, err := store.get(ctx, c.Image)
		if err != nil {
			return nil, err
		}
		if local != nil && local.ID != c.Image {
			keys = append(keys, "image")
		}
		keys = append(keys, compared{p: p, name: name, declared: p.Services[name], c: c, base: configOf(base)}.differences()...)
	}
	slices.Sort(keys)
	return slices.DeleteFunc(slices.Compact(keys), func(key string) bool { return key == "logging" }), nil
}

// doLog limits the log of a service, takes that back, or says what is in the way.
func (in *Instance) doLog(ctx context.Context, s service.Step) (o service.Outcome, err error) {
	var args limitArgs
	if err := json.Unmarshal(s.Args, &args); err != nil {
		return o, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	p, err := in.load(ctx)
	if err != nil {
		return o, err
	}
	if s.Op == opAdvise {
		o.Verdict.Warn("log-limit-refused", args.Service, service.Args{"service": args.Service, "reason": args.Reason,
			"users": args.Users, "target": in.env.Target, "file": overrideName, "compose": in.command(p)})
		return o, nil
	}
	if _, declared := p.Services[args.Service]; !declared {
		return o, fmt.Errorf("service %s is no longer declared: %w", args.Service, service.ErrStale)
	}
	if args.Write {
		if err := in.setLimit(ctx, args.Service, s.Op == opLimit); err != nil {
			return o, err
		}
	}
	if p, err = in.load(ctx); err != nil {
		return o, err
	}
	err = in.recreate(ctx, p, args.Service)
	if errors.Is(err, service.ErrNoTool) {
		o.Verdict.Warn("container-not-renewed", args.Service, service.Args{"service": args.Service, "compose": in.command(p)})
		err = nil
	}
	o.Result = s.Args
	return o, err
}

// setLimit writes a service into the override file, or takes it out.
func (in *Instance) setLimit(ctx context.Context, name string, limit bool) error {
	if in.overridePath() == "" {
		return fmt.Errorf("%s is no longer under files: %w", overrideName, service.ErrStale)
	}
	o, err := in.readOverride()
	if err != nil {
		return err
	}
	if _, there := o.Services[name]; there == limit {
		return nil // done before
	}
	delete(o.Services, name)
	if limit {
		o.Services[name] = rotated()
	}
	return in.writeOverride(ctx, o)
}

// Undo takes a service out of the override file again and makes its containers anew.
// A restart has nothing that could be taken back.
func (in *Instance) Undo(ctx context.Context, s service.Step, done json.RawMessage) ([]service.Step, error) {
	var args limitArgs
	if s.Op != opLimit {
		return nil, ctx.Err()
	}
	if err := json.Unmarshal(done, &args); err != nil {
		return nil, fmt.Errorf("read what %s did: %w", s.ID, err)
	}
	if !args.Write {
		return nil, ctx.Err()
	}
	step, err := in.logStep(opUnlimit, service.Disruptive, args, service.Args{"service": args.Service, "file": overrideName})
	return []service.Step{step}, err
}
