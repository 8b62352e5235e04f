package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one running server program.
type process struct {
	pid  int
	done chan struct{} // closed when a process that is not detached has ended
	err  error         // how it ended; read it after done
}

// launch starts a program as the given user with its output in a log file.
//
// The kernel sends the death signal when the *thread* that started the child
// ends, not the process. So one goroutine is tied to its thread from the start
// until the child has ended.
func launch(argv []string, as *account, log string, detached bool) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", argv[0], err)
	}
	defer func() { _ = out.Close() }()        // the child has its own descriptor
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // a server lives longer than the context of its start
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir = filepath.Dir(log)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + cmd.Dir}
	cmd.SysProcAttr = as.attributes()
	if detached {
		cmd.SysProcAttr.Setsid = true
		return startDetached(cmd)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return startTied(cmd)
}

func startDetached(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	go p.wait(cmd) // reaps it, should it end before we do
	return p, nil
}

func startTied(cmd *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.wait(cmd)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// attach watches a process that another program started.
func attach(pid int) *process {
	p := &process{pid: pid, done: make(chan struct{})}
	go func() {
		for alive(pid) {
			time.Sleep(10 * time.Millisecond)
		}
		close(p.done)
	}()
	return p
}

func (p *process) wait(cmd *exec.Cmd) {
	p.err = cmd.Wait()
	close(p.done)
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end sends a signal and waits; a process that does not obey in time is killed
// with everything it started.
func (p *process) end(sig syscall.Signal, patience time.Duration) error {
	if p.ended() {
		return nil
	}
	children := family(p.pid)
	if err := signal(p.pid, sig); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
	}
	err := signalAll(append(children, p.pid), syscall.SIGKILL)
	<-p.done
	return errors.Join(err, fmt.Errorf("process %d ignored %s for %s and was killed", p.pid, sig, patience))
}

// signal treats a process that is gone already as done.
func signal(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", sig, pid, err)
	}
	return nil
}

func signalAll(pids []int, sig syscall.Signal) error {
	var errs []error
	for _, pid := range pids {
		errs = append(errs, signal(pid, sig))
	}
	return errors.Join(errs...)
}

// alive takes a zombie for dead: in a container nobody may ever reap it.
func alive(pid int) bool {
	state, _, err := stat(pid)
	return err == nil && state != "Z" && state != "X"
}

// stat returns the state of a process and its parent.
func stat(pid int) (state, parent string, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", fmt.Errorf("look at process %d: %w", pid, err)
	}
	// The name in brackets may hold blanks; state and parent follow the last bracket.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 2 {
		return "", "", fmt.Errorf("look at process %d: its line is %q", pid, text)
	}
	return fields[0], fields[1], nil
}

// family lists the children of a process. A backend of PostgreSQL leads a process
// group of its own, so a signal to the group of the server would miss it.
func family(pid int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var children []int
	for _, path := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		// An error means that it ended while we looked.
		if _, parent, err := stat(child); err == nil && parent == strconv.Itoa(pid) {
			children = append(children, child)
		}
	}
	return children
}

// account is the user a server runs as; nil means our own.
type account struct{ uid, gid int }

// serverAccount is the first of the named users that exists, when we are root:
// PostgreSQL refuses to run as root and no server here should.
func serverAccount(names ...string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		return &account{uid, gid}, errors.Join(uidErr, gidErr)
	}
	return nil, fmt.Errorf("none of the users %s exists", strings.Join(names, ", "))
}

func (a *account) attributes() *syscall.SysProcAttr {
	if a == nil {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}}
}

// own gives a path to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// runAs runs a program to its end and returns what it said when it fails.
func runAs(ctx context.Context, as *account, dir string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + dir}
	cmd.SysProcAttr = as.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, bytes.TrimSpace(out))
	}
	return nil
}
