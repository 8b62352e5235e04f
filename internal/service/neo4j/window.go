package neo4j

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"upkeep/internal/service"
)

// switchesWithin is how long stopping may take, and starting until the database
// answers: far longer than on a busy machine, because a store that was not closed is
// recovered first.
const switchesWithin = 5 * time.Minute

// pause is when a server stood still, by this machine's clock.
type pause struct{ from, until time.Time }

// still stops the server, does work on its files and starts it again, whatever comes
// of the work. A guard does so in its place when this process does not live to.
func (in *Instance) still(ctx context.Context, dir string, work func(ctx context.Context) error) (p pause, err error) {
	peer, err := in.env.Peer(in.env.RunsIn.Target)
	if err != nil {
		return p, fmt.Errorf("reach what %s runs in: %w", in.env.Target, err)
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	switcher, err := service.As[service.Switcher](peer)
	if err != nil {
		return p, err
	}
	window := service.Window{Place: in.env.RunsIn, AtMost: time.Duration(in.cfg.Dump.StopAtMost), Dir: dir}
	guard, err := in.env.Guard(ctx, window)
	if err != nil {
		return p, err
	}
	p.from = in.env.Now()
	failed := in.stopped(ctx, switcher, guard, window.AtMost, work)
	started := in.startAgain(ctx, switcher, guard)
	p.until = in.env.Now()
	return p, errors.Join(started, failed)
}

// stopped does the work in its window. A stop that has begun is waited for: what is
// still going down cannot be started.
func (in *Instance) stopped(ctx context.Context, s service.Switcher, guard service.Guard, atMost time.Duration, work func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	patient, end := context.WithTimeout(context.WithoutCancel(ctx), switchesWithin)
	defer end()
	if err := errors.Join(s.Stop(patient, in.env.RunsIn.Unit), guard.Stopped()); err != nil {
		return fmt.Errorf("stop %s: %w", in.env.RunsIn.Unit, err)
	}
	err := limited.Err()
	if err == nil {
		err = work(limited)
	}
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return &service.Fault{ID: "neo4j.window-over", Args: service.Args{"service": in.env.RunsIn.Unit, "at_most": atMost.Seconds()},
			Err: errors.New("given up when the window was over: " + err.Error())} // it was no deadline of the run
	}
	return err
}

// startAgain also starts when the run was interrupted. Where it cannot, the guard
// stays: it tries once more when upkeep has ended.
func (in *Instance) startAgain(ctx context.Context, s service.Switcher, guard service.Guard) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchesWithin)
	defer cancel()
	told := guard.Starting() // a guard that is gone must not keep the server from starting
	err := s.Start(ctx, in.env.RunsIn.Unit)
	if err == nil {
		err = in.answers(ctx)
	}
	if err != nil {
		return &service.Fault{ID: "neo4j.not-started", Args: service.Args{"service": in.env.RunsIn.Unit, "detail": err.Error()},
			Err: fmt.Errorf("start %s again: %w", in.env.RunsIn.Unit, errors.Join(err, told))}
	}
	if err := errors.Join(told, guard.Dismiss(ctx)); err != nil {
		return err // the guard may have acted meanwhile: what it says stays
	}
	return in.relieved(ctx)
}

// answers waits until the database is there: a server is healthy before that.
func (in *Instance) answers(ctx context.Context) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := in.online(ctx)
		if err == nil || !errors.Is(err, service.ErrUnreachable) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// relieved forgets what a guard once had to do: stopping and starting works.
func (in *Instance) relieved(ctx context.Context) error {
	if in.env.State == nil {
		return nil
	}
	return in.env.State.Set(ctx, service.StateOfGuard, "")
}

// judgeGuard tells what a guard had to do since a window last ended as it should.
func (in *Instance) judgeGuard(ctx context.Context, down bool, v *service.Verdict) error {
	if in.env.State == nil {
		return nil
	}
	text, err := in.env.State.Get(ctx, service.StateOfGuard)
	if err != nil || text == "" {
		return err
	}
	var r service.Relief
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fmt.Errorf("read what the guard did: %w", err)
	}
	args := service.Args{"service": r.Unit, "since": r.Since.Format(time.RFC3339), "at": r.At.Format(time.RFC3339),
		"late": r.Late, "detail": r.Error}
	if r.Error != "" && down {
		v.Crit("guard-failed", r.Unit, args)
		return nil
	}
	v.Warn("guard-stepped-in", r.Unit, args)
	return nil
}
