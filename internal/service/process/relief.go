package process

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/service"
)

// Operations of steps.
const (
	opRestart = "restart" // runs the declared program that restarts this one
	opWait    = "wait"    // says why it is not restarted yet
)

// relief is what a step is about: the processes that leak, by key.
type relief struct {
	Leaking []string `json:"leaking"`
}

// Maintenance lists the restart that is due where processes leak and growth.restart says
// how: between two batches, when nothing that they made is unsaved.
func (in *Instance) Maintenance(ctx context.Context) ([]service.Step, error) {
	if len(in.cfg.Growth.Restart) == 0 || in.cfg.Growth.PerHour == 0 {
		return nil, nil
	}
	leaking, err := in.leakingNow(ctx)
	if err != nil || len(leaking) == 0 {
		return nil, err
	}
	unsaved, err := in.unsaved()
	if err != nil {
		return nil, err
	}
	var r relief
	for _, l := range leaking {
		r.Leaking = append(r.Leaking, l.key)
	}
	slices.Sort(r.Leaking)
	// Only what stays while a plan is read: neither how fast they grow nor what is unsaved.
	args := service.Args{"command": in.cfg.name(), "processes": len(leaking), "restart": in.cfg.Growth.Restart}
	if len(unsaved) > 0 {
		args["unsaved"] = in.cfg.Growth.Unsaved
		return []service.Step{reliefStep(opWait, service.ReadOnly, r, args)}, nil
	}
	return []service.Step{reliefStep(opRestart, service.Disruptive, r, args)}, nil
}

func reliefStep(op string, risk service.Risk, r relief, args service.Args) service.Step {
	text, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("encode step %s: %v", op, err)) // plain values always encode
	}
	return service.Step{ID: op, Op: op, Args: text, Risk: risk, Title: service.Message{ID: "leak-" + op, Args: args}}
}

// leakingNow judges by the points of earlier checks and a look now, and keeps nothing.
func (in *Instance) leakingNow(ctx context.Context) ([]leak, error) {
	before, err := in.measured(ctx)
	if err != nil {
		return nil, err
	}
	g, err := in.find(ctx, nil)
	if err != nil {
		return nil, err
	}
	weights, err := in.footprints(ctx, g)
	if err != nil {
		return nil, err
	}
	leaking, _, _ := in.leaks(before, weights, in.env.Now())
	return leaking, nil
}

// unsaved lists the files that hold what was made and is not saved yet.
func (in *Instance) unsaved() (names []string, err error) {
	for _, pattern := range in.cfg.Growth.Unsaved {
		found, err := doublestar.Glob(os.DirFS(in.env.Base), filepath.ToSlash(filepath.Clean(pattern)), doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", pattern, err)
		}
		names = append(names, found...)
	}
	return names, nil
}

// Do restarts what leaks, if that still runs and nothing has become unsaved meanwhile.
func (in *Instance) Do(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	var r relief
	if err := json.Unmarshal(s.Args, &r); err != nil {
		return out, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	switch s.Op {
	case opWait:
		out.Verdict.Warn("restart-waits", "", s.Title.Args)
	case opRestart:
		err = in.restart(ctx, r)
	default:
		err = fmt.Errorf("do step %q: %w", s.Op, service.ErrUnsupported)
	}
	return out, err
}

func (in *Instance) restart(ctx context.Context, r relief) error {
	left, err := in.left(ctx, r)
	if err != nil || len(left) == 0 { // done by an earlier try, or ended by itself
		return err
	}
	unsaved, err := in.unsaved()
	if err != nil {
		return err
	}
	if len(unsaved) > 0 {
		return fmt.Errorf("restart %s: %s is not saved yet: %w", in.cfg.name(), unsaved[0], service.ErrStale)
	}
	argv := in.cfg.Growth.Restart
	if err := in.env.Run(ctx, service.Cmd{Program: argv[0], Args: argv[1:], Dir: in.env.Base}); err != nil {
		return fmt.Errorf("restart %s: %w", in.cfg.name(), err)
	}
	return in.restarted(ctx, r)
}

// left are those of the leaking processes that still run.
func (in *Instance) left(ctx context.Context, r relief) (keys []string, err error) {
	g, err := in.find(ctx, nil)
	for _, p := range g.alive {
		if slices.Contains(r.Leaking, key(p)) {
			keys = append(keys, key(p))
		}
	}
	return keys, err
}

// restartWithin is how long what was restarted may take to be gone and back.
const restartWithin = time.Minute

// restarted waits until those that leaked are gone and as many run as must.
func (in *Instance) restarted(ctx context.Context, r relief) error {
	ctx, cancel := context.WithTimeout(ctx, restartWithin)
	defer cancel()
	for {
		g, err := in.find(ctx, nil)
		if err != nil {
			return fmt.Errorf("see whether %s was restarted: %w", in.cfg.name(), err)
		}
		living := map[string]bool{}
		for _, p := range g.alive {
			living[key(p)] = true
		}
		old := slices.ContainsFunc(r.Leaking, func(id string) bool { return living[id] })
		if !old && len(living) >= in.cfg.least() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s ran, and of %v still live %v: %w", in.cfg.Growth.Restart[0], r.Leaking, slices.Sorted(maps.Keys(living)), ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
