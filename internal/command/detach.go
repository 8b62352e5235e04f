package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Detached is a program in a session of its own: neither a signal to upkeep's group
// nor the end of upkeep ends it. Its input stays open while upkeep lives, and the
// kernel closes it when upkeep ends in whatever way.
type Detached struct {
	in    io.WriteCloser
	ended chan error
}

// Detach starts a program with upkeep's own environment, gives it its first input
// and waits until it has written the line that says it is ready. Any other first
// line is why it is not.
func Detach(ctx context.Context, path string, args []string, first []byte, ready string) (*Detached, error) {
	cmd := exec.Command(path, args...) //nolint:noctx // it outlives the context of its start
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	said, theirs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	defer func() { _ = said.Close() }() // it writes one line
	cmd.Stdout = theirs
	if err := errors.Join(cmd.Start(), theirs.Close()); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	d := &Detached{in: in, ended: make(chan error, 1)}
	go func() { d.ended <- cmd.Wait() }()
	if err := d.begin(ctx, said, first, ready); err != nil {
		return nil, errors.Join(err, in.Close(), cmd.Process.Kill())
	}
	return d, nil
}

func (d *Detached) begin(ctx context.Context, said *os.File, first []byte, ready string) error {
	if _, err := d.in.Write(first); err != nil {
		return fmt.Errorf("tell it what to do: %w", err)
	}
	if end, limited := ctx.Deadline(); limited {
		if err := said.SetReadDeadline(end); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(io.LimitReader(said, tailSize)).ReadString('\n')
	if line = strings.TrimSpace(line); line != ready {
		return fmt.Errorf("it did not begin: %s: %w", line, errors.Join(err, ctx.Err()))
	}
	return nil
}

// Tell writes to the program.
func (d *Detached) Tell(text string) error {
	_, err := io.WriteString(d.in, text)
	return err
}

// Wait ends the program's input and waits for its end.
func (d *Detached) Wait(ctx context.Context) error {
	if err := d.in.Close(); err != nil && !errors.Is(err, os.ErrClosed) { // which it is when the program has ended
		return err
	}
	select {
	case err := <-d.ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
