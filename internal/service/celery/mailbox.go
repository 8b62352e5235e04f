package celery

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"upkeep/internal/service"
)

// mailbox is our end of the control channel: kombu's pidbox. A question goes to a
// fanout exchange that every worker listens to; the answers come to a private queue
// that vanishes with the connection.
type mailbox struct {
	conn    *amqp.Connection
	channel *amqp.Channel
	control string
	reply   string // routing key of our queue
	answers <-chan amqp.Delivery
	blocked chan amqp.Blocking
	unwatch func() bool
	ended   func() error // the context's error
}

// dial opens a connection that ends with ctx: the library knows no contexts, so the
// socket is closed under it.
func dial(ctx context.Context, url, control string) (*mailbox, error) {
	m := &mailbox{control: control, reply: rand.Text(), ended: func() error { return context.Cause(ctx) }, unwatch: func() bool { return true }}
	var err error
	m.conn, err = amqp.DialConfig(url, amqp.Config{
		Heartbeat:  10 * time.Second,
		Properties: amqp.Table{"product": "upkeep", "connection_name": "upkeep asks workers"},
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				m.unwatch = context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
	})
	if err != nil {
		m.unwatch()
		return nil, fmt.Errorf("connect to the broker: %w", m.explain(err))
	}
	m.blocked = m.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	return m, nil
}

func (m *mailbox) explain(err error) error {
	var said *amqp.Error
	switch {
	case m.ended() != nil:
		return fmt.Errorf("%w: %w", m.ended(), service.ErrUnreachable)
	case errors.As(err, &said) && (said.Code == amqp.AccessRefused || said.Code == amqp.NotAllowed):
		return fmt.Errorf("%w: %w", err, service.ErrDenied)
	}
	return fmt.Errorf("%w: %w", err, service.ErrUnreachable)
}

func (m *mailbox) questions() string { return m.control + ".pidbox" }
func (m *mailbox) replies() string   { return "reply." + m.control + ".pidbox" }

// listen makes the private queue as kombu does. used is false when no worker ever
// listened since the broker started: there is nobody to ask.
func (m *mailbox) listen() (used bool, err error) {
	if m.channel, err = m.conn.Channel(); err != nil {
		return false, fmt.Errorf("open a channel: %w", m.explain(err))
	}
	err = m.channel.ExchangeDeclarePassive(m.questions(), amqp.ExchangeFanout, false, false, false, false, nil)
	var said *amqp.Error
	if errors.As(err, &said) && said.Code == amqp.NotFound {
		return false, nil
	}
	queue := m.reply + "." + m.replies()
	if err == nil {
		err = m.channel.ExchangeDeclare(m.replies(), amqp.ExchangeDirect, false, false, false, false, nil)
	}
	if err == nil {
		_, err = m.channel.QueueDeclare(queue, false, true, true, false, amqp.Table{"x-expires": int32(10000)})
	}
	if err == nil {
		err = m.channel.QueueBind(queue, m.reply, m.replies(), false, nil)
	}
	if err == nil {
		m.answers, err = m.channel.Consume(queue, "", true, true, false, false, nil)
	}
	if err != nil {
		return false, fmt.Errorf("listen to the workers: %w", m.explain(err))
	}
	return true, nil
}

// ask sends one question to all workers. The ticket, here the method itself, comes
// back with every answer.
func (m *mailbox) ask(ctx context.Context, method string, arguments map[string]any, expires time.Time) error {
	body, err := json.Marshal(map[string]any{
		"method": method, "arguments": arguments, "ticket": method,
		"destination": nil, "pattern": nil, "matcher": nil,
		"reply_to": map[string]string{"exchange": m.replies(), "routing_key": m.reply},
	})
	if err != nil {
		return fmt.Errorf("ask the workers for %s: %w", method, err)
	}
	err = m.channel.PublishWithContext(ctx, m.questions(), "", false, false, amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Transient, Body: body,
		Headers: amqp.Table{"clock": int64(1), "expires": float64(expires.UnixMilli()) / 1000},
	})
	if err != nil {
		return fmt.Errorf("ask the workers for %s: %w", method, m.explain(err))
	}
	return nil
}

// close ends the connection; that of a context that has ended is closed already.
func (m *mailbox) close() {
	if m.ended() == nil {
		_ = m.conn.Close() // only questions were asked
	}
	m.unwatch()
}
