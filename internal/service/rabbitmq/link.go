package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"upkeep/internal/service"
)

// link is one AMQP connection that ends with the context it was dialled under: the
// library knows no contexts, so the socket is closed under it.
type link struct {
	conn    *amqp.Connection
	address string
	unwatch func() bool
	ended   func() error // the context's error
}

func (in *Instance) dial(ctx context.Context) (*link, error) {
	where, err := in.BrokerURL(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{address: in.at.host, ended: ctx.Err, unwatch: func() bool { return true }}
	l.conn, err = amqp.DialConfig(where, amqp.Config{
		Heartbeat:  10 * time.Second,
		Properties: amqp.Table{"product": "upkeep", "connection_name": "upkeep check"},
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				l.unwatch = context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
	})
	if err != nil {
		l.unwatch()
		return nil, fmt.Errorf("connect to %s: %w", in.at.host, l.explain(err))
	}
	return l, nil
}

// explain adds the sentinel. A refused login and a missing virtual host are told by
// a code, everything else counts as no answer.
func (l *link) explain(err error) error {
	var said *amqp.Error
	switch {
	case l.ended() != nil:
		return fmt.Errorf("%w: %w", l.ended(), service.ErrUnreachable)
	case errors.As(err, &said) && (said.Code == amqp.AccessRefused || said.Code == amqp.NotAllowed):
		return fmt.Errorf("%w: %w", err, service.ErrDenied)
	case errors.As(err, &said) && said.Code == amqp.NotFound:
		return fmt.Errorf("%w: %w", err, service.ErrNotFound)
	}
	return fmt.Errorf("%w: %w", err, service.ErrUnreachable)
}

// answers makes one round trip that changes nothing: every virtual host has this
// exchange.
func (l *link) answers() error {
	channel, err := l.conn.Channel()
	if err == nil {
		err = channel.ExchangeDeclarePassive("amq.direct", amqp.ExchangeDirect, true, false, false, false, nil)
	}
	if err != nil {
		return fmt.Errorf("ask %s over AMQP: %w", l.address, l.explain(err))
	}
	return channel.Close()
}

// depth is what a queue holds at this moment.
type depth struct{ ready, consumers int64 }

// depth asks without touching the queue. An error closes the channel, so each queue
// has its own.
func (l *link) depth(queue string) (depth, error) {
	channel, err := l.conn.Channel()
	if err != nil {
		return depth{}, fmt.Errorf("ask for queue %s: %w", queue, l.explain(err))
	}
	q, err := channel.QueueDeclarePassive(queue, false, false, false, false, nil)
	if err != nil {
		return depth{}, fmt.Errorf("ask for queue %s: %w", queue, l.explain(err))
	}
	return depth{int64(q.Messages), int64(q.Consumers)}, channel.Close()
}

// close ends the connection; that of a context that has ended is closed already.
func (l *link) close() {
	if l.ended() == nil {
		_ = l.conn.Close() // only questions were asked
	}
	l.unwatch()
}
