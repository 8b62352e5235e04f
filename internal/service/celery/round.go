package celery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"upkeep/internal/service"
)

// reserve is what a check keeps of its time for judging after the last answer.
const reserve = 800 * time.Millisecond

// brokerPatience is within which a broker has to take the questions. RabbitMQ tells
// of a refused login after 3 s.
const brokerPatience = 3900 * time.Millisecond

// quiet is how long nobody may have answered, where the broker does not tell who
// listens, before all that were expected count as all.
const quiet = time.Second

// listing is the broker's list of queues.
type listing struct {
	queues []service.Queue
	err    error
}

// round is one question to all workers at once and what came back.
type round struct {
	listing
	listed  bool // the broker's list came, or its error
	workers map[string]*worker
	blocked bool // the broker takes no messages, so nobody can be asked
}

// ask lists the queues and asks the workers side by side. Waiting ends when every
// worker that the broker knows has answered, else when the time is over.
func (in *Instance) ask(ctx context.Context) (*round, error) {
	ctx, cancel := context.WithTimeout(ctx, in.wait(ctx))
	defer cancel()
	peer, err := in.env.Peer(in.cfg.Broker)
	if err != nil {
		return nil, fmt.Errorf("open the broker: %w", err)
	}
	defer func() { _ = peer.Close() }() // nothing is kept between calls
	broker, err := service.As[service.Broker](peer)
	if err != nil {
		return nil, fmt.Errorf("use %s as a broker: %w", in.cfg.Broker, err)
	}
	lists := make(chan listing, 1)
	go func() {
		queues, err := broker.Queues(ctx)
		lists <- listing{queues, err}
	}()
	r, err := in.converse(ctx, broker, lists)
	if r != nil && !r.listed {
		r.listing, r.listed = <-lists, true // ends with ctx
	} else if r == nil {
		cancel()
		<-lists // it uses the peer that is closed now
	}
	return r, err
}

// wait is how long the round may take.
func (in *Instance) wait(ctx context.Context) time.Duration {
	longest := in.cfg.Timeout.Std() + time.Second
	if deadline, ok := ctx.Deadline(); ok {
		longest = max(time.Until(deadline)-reserve, time.Until(deadline)/2)
	}
	return longest
}

func (in *Instance) converse(ctx context.Context, broker service.Broker, lists <-chan listing) (*round, error) {
	url, err := broker.BrokerURL(ctx)
	if err != nil {
		return nil, fmt.Errorf("learn the broker's address: %w", err)
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	impatient := time.AfterFunc(brokerPatience, func() { giveUp(context.DeadlineExceeded) })
	m, err := dial(ctx, url, in.cfg.Control)
	if err != nil {
		return nil, err
	}
	defer m.close()
	r := &round{workers: map[string]*worker{}}
	used, err := m.listen()
	if err != nil || !used {
		return r, err
	}
	if !impatient.Stop() {
		return nil, fmt.Errorf("reach the workers: %w: %w", context.Cause(ctx), service.ErrUnreachable)
	}
	began := time.Now() // a monotonic clock: it measures, it does not tell the time
	for method, arguments := range methods() {
		if err := m.ask(ctx, method, arguments, in.env.Now().Add(in.cfg.Timeout.Std())); err != nil {
			return r, err
		}
	}
	return r, in.gather(ctx, r, m, lists, began)
}

// gather takes answers as they come. The end of ctx is the end of the waiting and no
// error: who has not answered by then is silent.
func (in *Instance) gather(ctx context.Context, r *round, m *mailbox, lists <-chan listing, began time.Time) error {
	last := began
	for !r.satisfied(m.control) {
		select {
		case <-ctx.Done():
			return nil
		case <-in.unlisted(r, began, last):
			return nil
		case r.listing = <-lists:
			r.listed = true
		case b := <-m.blocked:
			if r.blocked = b.Active; r.blocked {
				return nil
			}
		case d, open := <-m.answers:
			if !open {
				if ctx.Err() != nil {
					return nil // it was closed because the time is over
				}
				return fmt.Errorf("the broker ended the connection: %w", service.ErrUnreachable)
			}
			last = time.Now()
			if err := r.take(d, last.Sub(began)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlisted fires when there is nothing left to wait for although the broker did not
// tell who listens: the declared number has answered and nobody else does, or a
// worker's time is over. It never fires while the list is there or to come.
func (in *Instance) unlisted(r *round, began, last time.Time) <-chan time.Time {
	if !r.listed || r.err == nil {
		return nil
	}
	end := began.Add(in.cfg.Timeout.Std())
	if soon := last.Add(quiet); len(r.workers) >= in.cfg.Workers && r.answered() && soon.Before(end) {
		end = soon
	}
	return time.After(time.Until(end))
}

// answered reports whether everybody who began to answer has said all.
func (r *round) answered() bool {
	for _, w := range r.workers {
		if !w.complete() {
			return false
		}
	}
	return true
}

// satisfied reports whether nobody is left to wait for.
func (r *round) satisfied(control string) bool {
	if !r.listed || r.err != nil {
		return false
	}
	for _, name := range r.listening(control) {
		if w := r.workers[name]; w == nil || !w.complete() {
			return false
		}
	}
	return r.answered()
}

// listening are the workers whose control queue the broker has, whether they answer
// or not.
func (r *round) listening(control string) (names []string) {
	for _, q := range r.queues {
		name, is := strings.CutSuffix(q.Name, "."+control+".pidbox")
		if is && !strings.HasSuffix(name, ".reply") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// take files one answer under the worker that gave it.
func (r *round) take(d amqp.Delivery, after time.Duration) error {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(finite(d.Body), &answer); err != nil {
		return fmt.Errorf("read a worker's answer: %w", errors.Join(err, service.ErrUnreachable))
	}
	method, _ := d.Headers["ticket"].(string)
	for name, body := range answer {
		w := r.workers[name]
		if w == nil {
			w = &worker{name: name, known: map[string]bool{}}
			r.workers[name] = w
		}
		if method == "ping" {
			w.answered = after
		}
		w.known[method] = w.take(method, body) == nil // false: answered, and not understood
	}
	return nil
}

// sorted are the workers that answered, by name.
func (r *round) sorted() []*worker {
	var all []*worker
	for _, w := range r.workers {
		if w.ponged {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b *worker) int { return strings.Compare(a.name, b.name) })
	return all
}

// silent are workers that listen at the broker and did not answer.
func (r *round) silent(control string) (names []string) {
	for _, name := range r.listening(control) {
		if w := r.workers[name]; w == nil || !w.ponged {
			names = append(names, name)
		}
	}
	return names
}
