package initialize

import (
	"context"
	"net"
	"sync"
	"time"

	"upkeep/internal/service"
)

// dialsAtOnce bounds the connections that are tried side by side.
const dialsAtOnce = 64

// dialLimit is what one address may take to answer.
const dialLimit = time.Second

// Machine is what lies outside the files. The zero value is this machine.
type Machine struct {
	Listening func(ctx context.Context) ([]Listener, error)
	Dial      func(ctx context.Context, address string) error
}

func (m Machine) listening(ctx context.Context) ([]Listener, error) {
	if m.Listening != nil {
		return m.Listening(ctx)
	}
	return listening(ctx)
}

func (m Machine) dial(ctx context.Context, address string) error {
	if m.Dial != nil {
		return m.Dial(ctx, address)
	}
	d := net.Dialer{Timeout: dialLimit}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// probe tries every address once, side by side, and notes those without an
// answer. They stay declared: a service may be down just now.
func (s *survey) probe(ctx context.Context) {
	failed := make([]bool, len(s.targets))
	slots := make(chan struct{}, dialsAtOnce)
	var wait sync.WaitGroup
	for i, t := range s.targets {
		if t.address != "" {
			slots <- struct{}{}
			wait.Go(func() {
				failed[i] = s.opt.Machine.dial(ctx, t.address) != nil
				<-slots
			})
		}
	}
	wait.Wait()
	for i, t := range s.targets {
		if failed[i] {
			s.note("unreachable", service.Args{"target": t.name, "address": t.address})
		}
	}
}
