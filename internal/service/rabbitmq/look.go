package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"upkeep/internal/service"
)

// patience is what a broker gets for one round of questions. A check has five
// seconds and still has to say which half did not answer.
const patience = 3500 * time.Millisecond

// managementPatience is less: when that side hangs, the queues are still to be asked
// for over the other one.
const managementPatience = 2200 * time.Millisecond

// mostAsked is how many queues are asked one by one over AMQP. The management API
// tells of all of them, some seconds late.
const mostAsked = 100

// queue is one queue with what could be measured of it.
type queue struct {
	name      string
	durable   bool
	transient bool
	missing   bool   // declared, and the broker has none of that name
	ready     number // to be delivered
	unacked   number // delivered and not acknowledged
	consumers number
	published number // since the queue was made or the node started
}

// messages is what the queue holds; unknown as long as one half of it is.
func (q queue) messages() number {
	return number{q.ready.value + q.unacked.value, q.ready.known && q.unacked.known}
}

// view is one look at a broker from both sides. An error of one side leaves the
// other side's half.
type view struct {
	about      overview
	nodes      []node
	queues     []queue
	overviewed error
	noded      error
	queued     error // the list of the queues
	amqp       error
}

// look asks both sides at once.
func (in *Instance) look(ctx context.Context) view {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	over, end := context.WithTimeout(ctx, managementPatience)
	defer end()
	var (
		v     view
		list  []listed
		wires *link
		all   sync.WaitGroup
	)
	all.Go(func() { v.about, v.overviewed = in.overview(over) })
	all.Go(func() { v.nodes, v.noded = in.nodes(over) })
	all.Go(func() { list, v.queued = in.queues(over) })
	all.Go(func() {
		if wires, v.amqp = in.dial(ctx); v.amqp == nil {
			v.amqp = wires.answers()
		}
	})
	all.Wait()
	v.queues = in.known(list, v.queued == nil)
	if wires == nil {
		return v
	}
	defer wires.close()
	if v.amqp == nil {
		v.amqp = in.measure(wires, v.queues)
	}
	return v
}

// known joins the broker's list with the declared queues. Without the list these are
// all that can be asked for.
func (in *Instance) known(list []listed, whole bool) (all []queue) {
	declared := maps.Clone(in.cfg.Queues)
	for _, l := range list {
		_, named := in.cfg.Queues[l.Name]
		delete(declared, l.Name)
		all = append(all, queue{name: l.Name, durable: l.Durable, transient: l.transient() && !named,
			ready: l.Ready, unacked: l.Unacked, consumers: l.Consumers,
			published: number{l.Stats.Publish.value, l.Ready.known}}) // a queue without statistics of messages never had one
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		all = append(all, queue{name: name, missing: whole})
	}
	slices.SortStableFunc(all, func(a, b queue) int { return in.rank(a) - in.rank(b) })
	return all
}

// rank puts declared queues first: they are asked one by one however many there are.
func (in *Instance) rank(q queue) int {
	if _, declared := in.cfg.Queues[q.name]; declared {
		return 0
	}
	return 1
}

// measure replaces statistics, which are seconds old or not there yet, by what the
// queue itself says.
func (in *Instance) measure(l *link, all []queue) error {
	asked := 0
	for i := range all {
		q := &all[i]
		if q.transient || q.missing {
			continue
		}
		if asked++; asked > mostAsked {
			return nil
		}
		now, err := l.depth(q.name)
		switch {
		case errors.Is(err, service.ErrNotFound):
			q.missing = true
		case err != nil:
			return err
		default:
			q.ready, q.consumers = number{now.ready, true}, number{now.consumers, true}
		}
	}
	return nil
}

// Queues lists the queues of the virtual host with what they hold now, and how long
// by the marks of the last check. One that could not be measured is an error: 0 would
// be taken for empty.
func (in *Instance) Queues(ctx context.Context) ([]service.Queue, error) {
	seen := in.look(ctx)
	if err := errors.Join(seen.queued, seen.amqp); err != nil {
		return nil, fmt.Errorf("list the queues: %w", err)
	}
	marks, err := in.recall(ctx, seen)
	if err != nil {
		return nil, err
	}
	var all []service.Queue
	for _, q := range seen.queues {
		if q.missing {
			continue
		}
		if !q.transient && !q.ready.known {
			return nil, fmt.Errorf("queue %s is not measured yet: %w", q.name, service.ErrUnreachable)
		}
		waiting, _ := marks.waited(q, in.env.Now())
		all = append(all, service.Queue{Name: q.name, Messages: q.ready.value + q.unacked.value, Unacked: q.unacked.value,
			Consumers: q.consumers.value, Durable: q.durable, Transient: q.transient, Waiting: waiting})
	}
	return all, nil
}

// BrokerURL is the address with its login.
func (in *Instance) BrokerURL(ctx context.Context) (string, error) {
	password, err := in.password(ctx)
	if err != nil {
		return "", err
	}
	return in.at.url(password, in.ca()), nil
}
