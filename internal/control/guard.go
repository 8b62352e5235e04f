package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

// Limits of a guard.
const (
	// guardBegins is how long it may take to be ready, on a loaded machine.
	guardBegins = 30 * time.Second
	// guardSlack is how much later than upkeep itself a guard acts on the end of a
	// window: it is there for an upkeep that hangs.
	guardSlack = 5 * time.Second
	// switchesWithin is how long stopping a service may take, and starting it until it
	// is healthy.
	switchesWithin = 5 * time.Minute
)

// What a guard and its upkeep say to each other, one line each.
const (
	guardReady     = "ready"
	guardStopped   = "stopped"
	guardStarting  = "starting"
	guardDismissed = "dismissed"
)

// order is the first line that a guard reads.
type order struct {
	Target string         `json:"target"`
	Window service.Window `json:"window"`
}

// guard starts this very program beside itself, with the same declaration.
func (a *App) guard(ctx context.Context, target string, w service.Window) (service.Guard, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program itself: %w", err)
	}
	file, err := filepath.Abs(a.Config.File)
	if err != nil {
		return nil, err
	}
	first, err := json.Marshal(order{target, w})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, guardBegins)
	defer cancel()
	d, err := command.Detach(ctx, program, []string{"guard", "--file", file}, append(first, '\n'), guardReady)
	if err != nil {
		return nil, fmt.Errorf("start the guard that would start %s again: %w: %w", w.Place.Unit, err, service.ErrRefused)
	}
	return guarding{d}, nil
}

// guarding is a guard as upkeep sees it.
type guarding struct{ process *command.Detached }

func (g guarding) Stopped() error { return g.process.Tell(guardStopped + "\n") }

func (g guarding) Starting() error { return g.process.Tell(guardStarting + "\n") }

func (g guarding) Dismiss(ctx context.Context) error {
	if err := g.process.Tell(guardDismissed + "\n"); err != nil {
		return fmt.Errorf("dismiss the guard: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, guardBegins)
	defer cancel()
	if err := g.process.Wait(ctx); err != nil {
		return fmt.Errorf("dismiss the guard: %w", err)
	}
	return nil
}

// StandGuard is the guard: it reads its order, says that it is ready, and starts the
// service unless it is dismissed before it has to. The end of ctx is a reason to
// act, not to stop: whoever ends every process of a session ends upkeep as well.
func (a *App) StandGuard(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	post, err := a.takePost(lines)
	if err != nil {
		fmt.Fprintln(out, err)
		return err
	}
	defer func() { _ = post.peer.Close() }() // the process ends
	fmt.Fprintln(out, guardReady)
	dismissed, late := watch(ctx, lines, post.order.Window.AtMost)
	if dismissed {
		return nil
	}
	return post.relieve(context.WithoutCancel(ctx), late)
}

// post is what a guard watches over.
type post struct {
	app      *App
	order    order
	since    time.Time
	peer     service.Instance
	switcher service.Switcher
}

// takePost opens what it will need while upkeep can still be told that it fails.
func (a *App) takePost(lines *bufio.Reader) (*post, error) {
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("read what to guard: %w", err)
	}
	p := &post{app: a, since: a.opt.Now()}
	if err := json.Unmarshal(text, &p.order); err != nil {
		return nil, fmt.Errorf("read what to guard: %w", err)
	}
	target, ok := a.Inventory.Target(p.order.Window.Place.Target)
	if !ok {
		return nil, fmt.Errorf("target %q: %w", p.order.Window.Place.Target, service.ErrUndeclared)
	}
	if p.peer, err = target.Open(); err != nil {
		return nil, err
	}
	p.switcher, err = service.As[service.Switcher](p.peer)
	return p, err
}

// watch returns when the guard is dismissed, or has to act: because upkeep has ended
// or, late, because it hangs.
func watch(ctx context.Context, lines *bufio.Reader, window time.Duration) (dismissed, late bool) {
	said := make(chan string)
	go func() {
		defer close(said)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			said <- line[:len(line)-1]
		}
	}()
	limit := time.After(switchesWithin + guardSlack)
	for {
		select {
		case line, open := <-said:
			switch {
			case !open:
				return false, false
			case line == guardDismissed:
				return true, false
			case line == guardStopped:
				limit = time.After(window + guardSlack)
			case line == guardStarting:
				limit = time.After(switchesWithin + guardSlack)
			}
		case <-ctx.Done():
			return false, false
		case <-limit:
			return false, true
		}
	}
}

// relieve ends what works on the service's files, starts the service, and keeps what
// came of it for the next check.
func (p *post) relieve(ctx context.Context, late bool) error {
	ctx, cancel := context.WithTimeout(ctx, switchesWithin)
	defer cancel()
	w := p.order.Window
	done := service.Relief{Unit: w.Place.Unit, Since: p.since, At: p.app.opt.Now(), Late: late}
	err := p.clear(ctx)
	if started := p.switcher.Start(ctx, w.Place.Unit); started != nil {
		err = errors.Join(started, err)
		done.Error = err.Error()
	}
	text, encoded := json.Marshal(done)
	kept := p.app.state(p.app.Config.System, p.order.Target).Set(ctx, service.StateOfGuard, string(text))
	return errors.Join(err, encoded, kept)
}

func (p *post) clear(ctx context.Context) error {
	dir := p.order.Window.Dir
	if dir == "" {
		return nil
	}
	err := command.KillIn(dir)
	if containers, ok := p.peer.(service.Containers); ok {
		err = errors.Join(err, containers.Discard(ctx, []string{dir}))
	}
	return err
}
