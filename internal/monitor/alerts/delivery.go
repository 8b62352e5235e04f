package alerts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
)

// Delivery is how one way of one receiver fares.
type Delivery struct {
	Receiver string    `json:"receiver"`
	Way      string    `json:"way"` // "email[0]": the first of its email_configs
	Sent     int       `json:"sent"`
	Failed   int       `json:"failed"` // attempts; a message may take several
	Success  time.Time `json:"last_success,omitzero"`
	Since    time.Time `json:"failing_since,omitzero"` // of failures without a success in between
	Error    string    `json:"error,omitempty"`        // of the last attempt
}

// deliveries keeps what became of each way's messages.
type deliveries struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]*Delivery
}

func newDeliveries(now func() time.Time) *deliveries {
	return &deliveries{now: now, all: map[string]*Delivery{}}
}

func (d *deliveries) note(receiver, way string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := receiver + "/" + way
	if d.all[key] == nil {
		d.all[key] = &Delivery{Receiver: receiver, Way: way}
	}
	one, now := d.all[key], d.now()
	if err == nil {
		one.Sent, one.Success, one.Since, one.Error = one.Sent+1, now, time.Time{}, ""
		return
	}
	one.Failed, one.Error = one.Failed+1, err.Error()
	if one.Since.IsZero() {
		one.Since = now
	}
}

// only lists the ways of a new configuration; those that it has not are forgotten.
func (d *deliveries) only(receivers map[string][]notify.Integration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := map[string]*Delivery{}
	for name, ways := range receivers {
		for _, w := range ways {
			key := name + "/" + w.String()
			next[key] = cmp.Or(d.all[key], &Delivery{Receiver: name, Way: w.String()})
		}
	}
	d.all = next
}

func (d *deliveries) list() []Delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []Delivery{}
	for _, one := range d.all {
		if one.Receiver != landingName {
			all = append(all, *one)
		}
	}
	slices.SortFunc(all, func(a, b Delivery) int { return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Way, b.Way)) })
	return all
}

// Deliveries is how each way of each receiver fares.
func (a *Alertmanager) Deliveries() []Delivery { return a.delivery.list() }

// Failing are the ways that have accepted nothing for so long that it is a finding.
func (a *Alertmanager) Failing() []Delivery {
	return slices.DeleteFunc(a.Deliveries(), func(d Delivery) bool {
		return d.Since.IsZero() || a.opt.Now().Sub(d.Since) < a.opt.FailsAfter
	})
}

// watched stands before a way of a receiver: it lets no canary out, bounds an attempt
// and notes what becomes of it.
type watched struct {
	a             *Alertmanager
	to            notify.Notifier
	receiver, way string
	hanging       chan struct{} // one token per attempt that has not come back
}

// mostHanging bounds the attempts that a server that answers nothing holds. Alertmanager
// sets no deadline on a mail server's connection, so an attempt that is given up on goes
// on until the connection breaks; should the server wake, its mail comes twice.
const mostHanging = 8

func (a *Alertmanager) watch(to notify.Notifier, receiver, name string, index int) notify.Notifier {
	return &watched{a, to, receiver, name + "[" + strconv.Itoa(index) + "]", make(chan struct{}, mostHanging)}
}

// Notify implements notify.Notifier; what is not accepted may be tried again.
func (w *watched) Notify(ctx context.Context, alerts ...*alert.Alert) (bool, error) {
	others := w.a.canaries.arrived(w.receiver, alerts)
	if len(others) == 0 {
		return false, nil
	}
	again, err := w.attempt(ctx, others)
	if errors.Is(ctx.Err(), context.Canceled) {
		return again, err // the configuration changes, or upkeep stops: nobody's failure
	}
	w.a.delivery.note(w.receiver, w.way, err)
	return again, err
}

type outcome struct {
	again bool
	err   error
}

func (w *watched) attempt(ctx context.Context, alerts []*alert.Alert) (bool, error) {
	select {
	case w.hanging <- struct{}{}:
	default:
		return true, fmt.Errorf("%d earlier attempts still wait for an answer", mostHanging)
	}
	limited, cancel := context.WithTimeout(ctx, w.a.opt.Attempt)
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-w.hanging }()
		again, err := w.to.Notify(limited, alerts...)
		done <- outcome{again, err}
	}()
	defer cancel()
	select {
	case o := <-done:
		return o.again, o.err
	case <-limited.Done():
		return true, fmt.Errorf("no answer within %s: %w", w.a.opt.Attempt, limited.Err())
	}
}

// offered sends with STARTTLS, and without where the server has none.
type offered struct{ secured, plain notify.Notifier }

func (o offered) Notify(ctx context.Context, alerts ...*alert.Alert) (bool, error) {
	again, err := o.secured.Notify(ctx, alerts...)
	if lacksSTARTTLS(err) {
		return o.plain.Notify(ctx, alerts...)
	}
	return again, err
}
