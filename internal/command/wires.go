package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// wires are the pipes between upkeep and one child. They are our own, not those
// of os/exec: a consumer that takes its time after the child has ended must get
// everything, while an ended context must not wait for a grandchild that holds
// a pipe open.
type wires struct {
	child []*os.File // ends that belong to the child
	ours  []*os.File
	jobs  []func()
	done  []chan struct{}
	feed  chan struct{} // closed when stdin is written; nil without one
}

// connect makes the pipes. fail is called with the first error of a stream.
func connect(cmd *exec.Cmd, s Spec, stderr io.Writer, fail func(error)) (w *wires, err error) {
	w = &wires{}
	defer func() {
		if err != nil {
			w.abandon()
		}
	}()
	if cmd.Stdin, err = w.input(s.Stdin, fail); err != nil {
		return nil, err
	}
	if cmd.Stdout, err = w.output(s.Stdout, "output", fail); err != nil {
		return nil, err
	}
	cmd.Stderr, err = w.output(stderr, "messages", fail)
	return w, err
}

// input returns what the child reads from; nil is the null device.
func (w *wires) input(from io.Reader, fail func(error)) (io.Reader, error) {
	if from == nil {
		return nil, nil
	}
	if file, ok := from.(*os.File); ok {
		return file, nil
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	w.child, w.ours = append(w.child, theirs), append(w.ours, ours)
	w.feed = make(chan struct{})
	w.jobs = append(w.jobs, func() {
		defer close(w.feed)
		if err := feed(ours, from); err != nil {
			fail(fmt.Errorf("read its input: %w", err))
			return // the pipe stays open: its end would look like the end of the data
		}
		_ = ours.Close() // finish closes it once more
	})
	return theirs, nil
}

// feed copies until the data or the child ends. A child that stops reading is no
// error of the data: its exit status tells.
func feed(to io.Writer, from io.Reader) error {
	source := &Watched{From: from}
	_, err := io.Copy(to, source)
	if source.Err != nil {
		return source.Err
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// Watched remembers an error of its reader, which io.Copy does not tell from one of
// its writer.
type Watched struct {
	From io.Reader
	Err  error // nil for the end of the data
}

func (r *Watched) Read(p []byte) (int, error) {
	n, err := r.From.Read(p)
	if err != nil && err != io.EOF {
		r.Err = err
	}
	return n, err
}

// output returns what the child writes to; nil is the null device.
func (w *wires) output(to io.Writer, what string, fail func(error)) (io.Writer, error) {
	if to == nil {
		return nil, nil
	}
	if file, ok := to.(*os.File); ok {
		return file, nil
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	w.child, w.ours = append(w.child, theirs), append(w.ours, ours)
	done := make(chan struct{})
	w.done = append(w.done, done)
	w.jobs = append(w.jobs, func() {
		defer close(done)
		if _, err := io.Copy(to, ours); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			fail(fmt.Errorf("take its %s: %w", what, err))
		}
	})
	return theirs, nil
}

// started gives the child its ends and begins to copy.
func (w *wires) started() {
	closeAll(w.child)
	for _, job := range w.jobs {
		go job()
	}
}

// abandon closes everything of a child that never started.
func (w *wires) abandon() {
	closeAll(w.child)
	closeAll(w.ours)
}

// finish waits until all output is taken, however slow its consumer is, unless
// ctx ends: then what is still in the pipes is given up.
func (w *wires) finish(ctx context.Context, grace time.Duration) {
	for _, done := range w.done {
		select {
		case <-done:
		case <-ctx.Done():
			w.cut()
			waitFor(done, grace)
		}
	}
	closeAll(w.ours)
	if w.feed != nil {
		// Its reader may be blocked for as long as it likes; the data is of no use
		// any more.
		waitFor(w.feed, grace)
	}
}

// cut ends pending reads.
func (w *wires) cut() {
	for _, file := range w.ours {
		_ = file.SetDeadline(time.Now()) // a pipe that is closed already needs none
	}
}

func waitFor(done <-chan struct{}, limit time.Duration) {
	select {
	case <-done:
	case <-time.After(limit):
	}
}

// closeAll closes pipe ends, on which nothing is buffered that could be lost.
func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
