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
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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
	if err := start(cmd); err != nil {
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
		who, err := account(s.User)
		if err != nil {
			return nil, err
		}
		if err := become(cmd, who, s.Search); err != nil {
			return nil, err
		}
		home = who.HomeDir
	}
	cmd.Env = append(r.environment(home), s.Env...)
	return cmd, nil
}

// become makes a program run as somebody else.
func become(cmd *exec.Cmd, who *user.User, search bool) (err error) {
	if cmd.Dir == "" {
		cmd.Dir = "/" // upkeep's own directory may be closed to that user
	}
	if search {
		cmd.SysProcAttr.AmbientCaps = searching()
	}
	cmd.SysProcAttr.Credential, err = credential(who)
	return err
}

// account is that of a name, or one for UID:GID, whether they have a name or not.
func account(name string) (*user.User, error) {
	if uid, gid, numbers := strings.Cut(name, ":"); numbers {
		return &user.User{Username: name, Uid: uid, Gid: gid, HomeDir: "/"}, nil
	}
	return user.Lookup(name)
}

// searching is the capability of Spec.Search, where root has it here: in a container it
// may not.
func searching() []uintptr {
	if n, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_DAC_READ_SEARCH, 0, 0, 0); err != nil || n != 1 {
		return nil
	}
	return []uintptr{unix.CAP_DAC_READ_SEARCH}
}

// noSetuidFixup is SECBIT_NO_SETUID_FIXUP of the kernel: a capability that is kept also
// counts on the way to the program and its directory, and in access(2), by which Java
// asks whether it may write.
const noSetuidFixup = 1 << 2

// start begins a program. The caller has the thread for itself.
func start(cmd *exec.Cmd) error {
	if len(cmd.SysProcAttr.AmbientCaps) == 0 {
		return cmd.Start()
	}
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits|noSetuidFixup), 0, 0, 0); err != nil {
		return fmt.Errorf("let it keep a right of root's: %w", err)
	}
	return errors.Join(cmd.Start(), unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits), 0, 0, 0))
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
