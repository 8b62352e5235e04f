package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

// Server is one program that runs until it is stopped.
type Server struct {
	stop   context.CancelFunc
	ended  chan struct{} // closed when it has ended
	output command.Tail
	err    error // how it ended; read it after ended
}

// lastWords is what is kept of a server's output, in bytes: a crash report is long, and
// why it crashed stands above it.
const lastWords = 256 << 10

// Start begins a program, which outlives ctx: Stop or Close ends it. That it could not
// be started, Await tells.
func (s *Sandbox) Start(ctx context.Context, c service.Cmd) *Server {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	server := &Server{stop: stop, ended: make(chan struct{}), output: command.Tail{Limit: lastWords}}
	c.Stdout = &server.output
	go func() {
		defer close(server.ended)
		server.err = s.Run(ctx, c)
	}()
	s.servers = append(s.servers, server)
	return server
}

// Ended says how a server ended that was to run.
type Ended struct {
	Said string // the end of what it wrote
}

func (e *Ended) Error() string { return "the scratch server ended: " + e.Said }

// Unwrap gives ErrNoScratch.
func (e *Ended) Unwrap() error { return service.ErrNoScratch }

// Await asks again and again until the server is ready. ready returns whether it is
// worth asking once more. Of a server that ends the error is *Ended.
func (v *Server) Await(ctx context.Context, every time.Duration, ready func(context.Context) (again bool, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		again, err := ready(ctx)
		if err == nil || !again {
			return err
		}
		select {
		case <-v.ended:
			return &Ended{v.said()}
		case <-ctx.Done():
			return fmt.Errorf("wait for the scratch server: %w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func (v *Server) said() string {
	words := []string{v.output.String()}
	var exit *command.ExitError
	switch {
	case errors.As(v.err, &exit) && exit.Stderr != "":
		words = append(words, exit.Stderr)
	case v.err != nil && words[0] == "":
		words = append(words, v.err.Error())
	}
	return strings.TrimSpace(strings.Join(words, "\n"))
}

// Running reports whether it has not ended.
func (v *Server) Running() bool {
	select {
	case <-v.ended:
		return false
	default:
		return true
	}
}

// Stop ends it: nothing of a private server is worth saving. It may be called again.
func (v *Server) Stop() error {
	v.stop()
	<-v.ended
	var fault *service.Fault // the container cannot be reached into: it may run on
	if errors.As(v.err, &fault) {
		return fmt.Errorf("end the scratch server: %w", v.err)
	}
	return nil
}
