// Package serve is upkeep around the clock: one process that looks at the system,
// collects samples, runs what is due and shows it on a page. It decides nothing by
// itself: what is due is schedule's, what a sample means is the monitor's, what a verb
// does is control's. parts.go lists what runs, in order.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/diag"
	"upkeep/internal/service"
)

// Options are the world of one process.
type Options struct {
	Config *config.Config
	Load   func() (*config.Config, diag.List) // reads the declaration again
	Open   func(*config.Config) *control.App
	Page   func(*Process) http.Handler // of everything that no part serves; nil shows none
	Reload <-chan os.Signal
	// Ready is told the address once the page answers.
	Ready func(address string)
	Log   *slog.Logger
	Now   func() time.Time
}

// stopWithin is how long what goes on may take to end. What has not ended by then is cut
// off, as by a kill, and resumes at the next start.
const stopWithin = 10 * time.Second

// Run serves until ctx ends. The error is for what kept it from beginning: a process that
// serves this system already (service.ErrBusy), an address in use.
func Run(ctx context.Context, opt Options) (err error) {
	p := newProcess(opt)
	defer func() { err = errors.Join(err, p.close(context.WithoutCancel(ctx))) }()
	if err := p.open(ctx); err != nil {
		return err
	}
	listener, err := listen(opt.Config.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: guarded(opt.Config.Listen, p.handler()), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(opt.Log.Handler(), slog.LevelWarn)}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop() // a page that is gone is no serve
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			opt.Log.Error("page ended", "error", err)
		}
	}()
	if opt.Ready != nil {
		opt.Ready(listener.Addr().String())
	}
	err = p.goOn(ctx)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(closing) != nil {
		err = errors.Join(err, server.Close()) // streams to pages do not end by themselves
	}
	return err
}

// listen takes the page's address, or says that another program has it.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &service.Fault{ID: "error.address-in-use", Args: service.Args{"listen": address}, Err: fmt.Errorf("%w: %w", err, service.ErrBusy)}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// goOn runs all parts until ctx ends, and reloads when told.
func (p *Process) goOn(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, part := range p.parts {
		group.Go(func() error {
			if err := part.Run(ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", part.Name(), err)
			}
			return nil
		})
	}
	group.Go(func() error { p.reloads(ctx); return nil })
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	<-ctx.Done()
	select {
	case err := <-ended:
		return err
	case <-time.After(stopWithin):
		return fmt.Errorf("not everything ended within %s; what was cut off resumes at the next start", stopWithin)
	}
}
