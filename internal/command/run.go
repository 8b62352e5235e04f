package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Run runs a program to its end. When ctx ends, the program and everything it
// started in its process group gets Spec.End, then SIGKILL, and the error wraps
// that of ctx. A failure is an *ExitError.
func (r *Runner) Run(ctx context.Context, s Spec) error {
	name := filepath.Base(s.Path)
	// The kernel sends the parent-death signal when the thread that started the
	// child ends, so that thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	cmd, err := r.prepare(s)
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	errs := &Tail{}
	wires, err := connect(cmd, s, errs, fail)
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		wires.abandon()
		return fmt.Errorf("run %s: %w", name, err)
	}
	wires.started()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = wait(ctx, cmd.Process.Pid, cmp.Or(s.End, syscall.SIGTERM), ended, r.grace())
	wires.finish(ctx, r.grace())
	return verdict(ctx, name, err, WithoutSecrets(errs.String(), s.Env))
}

// verdict turns how a program ended into the error of Run. A broken stream or an
// ended context explains the signal that followed from it.
func verdict(ctx context.Context, name string, err error, stderr string) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", name, cause)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &ExitError{Program: name, Code: exit.ExitCode(), State: exit.String(), Stderr: stderr}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// wait waits for the program, and ends its group when ctx ends first.
func wait(ctx context.Context, group int, end syscall.Signal, ended <-chan error, grace time.Duration) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	signal(group, end)
	var err error
	select {
	case err = <-ended:
		ended = nil
	case <-time.After(grace):
	}
	// What the program itself started may outlive it.
	signal(group, syscall.SIGKILL)
	if ended != nil {
		err = <-ended
	}
	return err
}

// signal reaches every process of a group. It fails when none is left, which is
// what was wanted.
func signal(group int, s syscall.Signal) { _ = syscall.Kill(-group, s) }

func (r *Runner) prepare(s Spec) (*exec.Cmd, error) {
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Dir = s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: cmp.Or(s.End, syscall.SIGKILL)}
	home := os.Getenv("HOME")
	if s.User != "" && os.Geteuid() == 0 {
		who, err := user.Lookup(s.User)
		if err != nil {
			return nil, err
		}
		if cmd.SysProcAttr.Credential, err = alone(who); err != nil {
			return nil, err
		}
		home = who.HomeDir
		if cmd.Dir == "" {
			cmd.Dir = "/" // upkeep's own directory may be closed to that user
		}
	}
	cmd.Env = append(r.environment(home), s.Env...)
	return cmd, nil
}

func credential(who *user.User) (*syscall.Credential, error) {
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	groups, err := who.GroupIds()
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, group := range groups {
		id, err := strconv.ParseUint(group, 10, 32)
		if err != nil {
			return nil, err
		}
		c.Groups = append(c.Groups, uint32(id))
	}
	return c, nil
}

// Output runs argv and returns what it printed, at most 1 MiB. A program without
// a path is looked for as Find does, of any version.
func (r *Runner) Output(ctx context.Context, argv []string) ([]byte, error) {
	if len(argv) == 0 {
		return nil, fmt.Errorf("no program is named: %w", ErrNotFound)
	}
	found := r.candidates(argv[0])
	if len(found) == 0 {
		return nil, r.notFound(argv[0], 0, nil)
	}
	var printed bytes.Buffer
	err := r.Run(ctx, Spec{Path: found[0], Args: argv[1:], Stdout: &bounded{to: &printed}})
	return printed.Bytes(), err
}

// bounded refuses more than outputLimit.
type bounded struct{ to *bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.to.Len()+len(p) > outputLimit {
		return 0, fmt.Errorf("it printed more than %d bytes", outputLimit)
	}
	return b.to.Write(p)
}
