package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

const (
	// grace is how long a program may take to end after SIGTERM before SIGKILL, as on
	// this machine.
	grace = 5 * time.Second
	// execPoll is how often the engine is asked whether a program has ended.
	execPoll = 20 * time.Millisecond
)

// execution is one program in a container.
type execution struct {
	in     *Instance
	id     string // of the engine
	cmd    service.Cmd
	wire   client.HijackedResponse
	output command.Tail // its end: where the engine says that it could not start the program
	errors command.Tail
	taken  chan struct{} // closed when all output is taken
	fail   context.CancelCauseFunc
}

// execute runs a program in a container to its end. When ctx ends or a stream
// breaks, the program gets SIGTERM, then SIGKILL.
func (in *Instance) execute(ctx context.Context, id string, c service.Cmd) error {
	created, err := in.engine.ExecCreate(ctx, id, client.ExecCreateOptions{User: c.User, Env: c.Env, WorkingDir: c.Dir,
		Cmd: append([]string{c.Program}, c.Args...), AttachStdin: c.Stdin != nil, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return in.failed("prepare "+c.Program, err)
	}
	x := &execution{in: in, id: created.ID, cmd: c, taken: make(chan struct{})}
	attached, err := in.engine.ExecAttach(ctx, x.id, client.ExecAttachOptions{})
	if err != nil {
		close(x.taken)
		return errors.Join(in.failed("start "+c.Program, err), x.end(ctx)) // it may have started all the same
	}
	x.wire = attached.HijackedResponse
	defer x.wire.Close()
	ctx, x.fail = context.WithCancelCause(ctx)
	defer x.fail(nil)
	return x.run(ctx)
}

func (x *execution) run(ctx context.Context) (err error) {
	fed := make(chan struct{})
	go func() { defer close(fed); x.feed() }()
	go func() { defer close(x.taken); x.take() }()
	select {
	case <-x.taken:
		err = x.verdict(ctx)
	case <-ctx.Done():
	}
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(fmt.Errorf("%s: %w", x.cmd.Program, cause), x.end(ctx))
	}
	x.wire.Close()
	// Who supplies or takes the data may be blocked for as long as it likes.
	within(x.taken, grace)
	within(fed, grace)
	return err
}

func within(done <-chan struct{}, limit time.Duration) {
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// feed hands the input over. Where it cannot be read the program must not take its
// end for the end of the data; a program that stops reading is no error.
func (x *execution) feed() {
	if x.cmd.Stdin == nil {
		return
	}
	source := &command.Watched{From: x.cmd.Stdin}
	_, _ = io.Copy(x.wire.Conn, source) // how the program took it, its exit code tells
	if source.Err != nil {
		x.fail(fmt.Errorf("read its input: %w", source.Err))
		return
	}
	_ = x.wire.CloseWrite() // it fails when the program has ended
}

// take copies until the program has closed what it writes to.
func (x *execution) take() {
	var out io.Writer = &x.output
	if x.cmd.Stdout != nil {
		out = io.MultiWriter(x.cmd.Stdout, out)
	}
	if _, err := stdcopy.StdCopy(out, &x.errors, x.wire.Reader); err != nil {
		x.fail(fmt.Errorf("take its output: %w", err))
	}
}

// verdict asks how the program ended; it may have closed its output before.
func (x *execution) verdict(ctx context.Context) error {
	got, err := x.ended(ctx)
	if err != nil {
		return err
	}
	if got.ExitCode == 0 {
		return nil
	}
	said := x.errors.String()
	if notStarted := x.output.String(); (got.ExitCode == 126 || got.ExitCode == 127) && strings.HasPrefix(notStarted, "OCI runtime exec failed") {
		said = notStarted
	}
	err = &command.ExitError{Program: x.cmd.Program, Code: got.ExitCode, State: fmt.Sprintf("exit status %d", got.ExitCode),
		Stderr: command.WithoutSecrets(said, x.cmd.Env)}
	if strings.Contains(said, "exec: "+strconv.Quote(x.cmd.Program)+": ") { // not found, or nothing that can be run
		return fmt.Errorf("%w: %w", service.ErrNoTool, err)
	}
	return err
}

func (x *execution) ended(ctx context.Context) (client.ExecInspectResult, error) {
	tick := time.NewTicker(execPoll)
	defer tick.Stop()
	for {
		got, err := x.in.engine.ExecInspect(ctx, x.id, client.ExecInspectOptions{})
		if err != nil {
			return got, x.in.failed("ask how "+x.cmd.Program+" ended", err)
		}
		if !got.Running {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return got, fmt.Errorf("wait for %s: %w", x.cmd.Program, ctx.Err())
		case <-tick.C:
		}
	}
}
