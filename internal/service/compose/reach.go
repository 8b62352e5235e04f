package compose

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// end ends a program whose call was cancelled: the engine offers no way to do so,
// so its process gets the signals from this machine.
func (x *execution) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*grace)
	defer cancel()
	for _, signal := range []syscall.Signal{cmp.Or(x.cmd.End, unix.SIGTERM), unix.SIGKILL} {
		got, err := x.started(ctx)
		if err != nil || !got.Running {
			return x.in.unlessGone(err)
		}
		if err := x.in.signal(got.ContainerID, got.PID, signal); err != nil {
			return err
		}
		limited, stop := context.WithTimeout(ctx, grace)
		_, err = x.ended(limited)
		stop()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s does not end", x.cmd.Program)
}

// started waits until a program that was begun has a process, or has none any more.
// The engine opens the streams before it starts the program, and closes them at its
// end.
func (x *execution) started(ctx context.Context) (client.ExecInspectResult, error) {
	for limit := time.Now().Add(grace); ; time.Sleep(execPoll) {
		got, err := x.in.engine.ExecInspect(ctx, x.id, client.ExecInspectOptions{})
		if err != nil || got.Running && got.PID > 0 || time.Now().After(limit) {
			return got, err
		}
		select {
		case <-x.taken:
			if !got.Running {
				return got, nil
			}
		default:
		}
	}
}

// signal reaches a process of a container with all that it started.
func (in *Instance) signal(container string, pid int, s syscall.Signal) error {
	if err := in.holds(container, pid); err != nil {
		return err
	}
	// The engine makes every program it starts the leader of a group of its own.
	if err := unix.Kill(-pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
		return in.outOfReach(err)
	}
	return nil
}

// holds makes sure that a process of this machine belongs to a container: an engine
// on another machine, or seen from a container, numbers processes otherwise.
func (in *Instance) holds(container string, pid int) error {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err == nil && !bytes.Contains(groups, []byte(container)) {
		err = fmt.Errorf("process %d is not that of container %.12s", pid, container)
	}
	if err != nil {
		return in.outOfReach(err)
	}
	return nil
}

func (in *Instance) outOfReach(err error) error {
	return &service.Fault{ID: "compose.out-of-reach", Args: service.Args{"host": in.cfg.Host},
		Err: fmt.Errorf("reach into a container of %s: %w: %w", in.cfg.Host, service.ErrNoScratch, err)}
}
