package suite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// background is a program that goes on while it is watched.
type background struct {
	cmd *exec.Cmd
	log string
}

// startFromDisk starts a program as after a boot. The cache holds a file that was just written in
// pages of up to 2 MB, of which each counts whole once a byte of it is used.
func startFromDisk(ctx context.Context, dir, url string, env []string, argv ...string) (*background, error) {
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	if err := forget(program); err != nil {
		return nil, fmt.Errorf("have %s read from the disk again: %w", program, err)
	}
	return startInBackground(ctx, dir, url, env, argv...)
}

// forget drops a file from the cache.
func forget(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); err != nil { // what is not yet on the disk would stay
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// startInBackground starts a program and waits until url answers 200.
func startInBackground(ctx context.Context, dir, url string, env []string, argv ...string) (b *background, err error) {
	b = &background{log: filepath.Join(dir, filepath.Base(argv[0])+".log")}
	out, err := os.Create(b.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	defer func() { err = errors.Join(err, out.Close()) }() // the program has its own descriptor
	b.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	b.cmd.Dir, b.cmd.Env, b.cmd.Stdout, b.cmd.Stderr = dir, env, out, out
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	if err := answering(ctx, url); err != nil {
		said, _ := os.ReadFile(b.log) // only for the message
		return nil, errors.Join(fmt.Errorf("%s: %w:\n%s", argv[0], err, said), b.stop())
	}
	return b, nil
}

// patience is what a program gets to answer for the first time.
const patience = 30 * time.Second

func answering(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		last := get(ctx, url)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// get wants status 200.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return nil
}

func (b *background) pid() int { return b.cmd.Process.Pid }

// stop ends it in good order; how it ended says nothing about what was watched.
func (b *background) stop() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var ended *exec.ExitError
	if err := b.cmd.Wait(); err != nil && !errors.As(err, &ended) {
		return err
	}
	return nil
}

// freePorts are so many ports of 127.0.0.1 that nobody uses.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, l.Close()) }() // all are held until each is chosen
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
