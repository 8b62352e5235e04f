package alerts

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// CanaryName is the alertname of a canary.
const CanaryName = "UpkeepCanary"

// Passage is how one canary fared.
type Passage struct {
	Sent     time.Time `json:"sent"`
	Took     float64   `json:"took_s"`             // until it was at all it had to reach, or was given up
	Arrived  []string  `json:"arrived"`            // at these receivers
	Held     []string  `json:"held,omitempty"`     // receivers that it did not reach because something holds it back
	Missing  []string  `json:"missing,omitempty"`  // receivers that it should have reached
	Silenced []string  `json:"silenced,omitempty"` // IDs of silences that hold it back
	Inhibits []string  `json:"inhibits,omitempty"` // fingerprints of alerts that hold it back
}

// Whole reports whether the canary came through: at our own receiver, and at none of the
// others without a reason.
func (p Passage) Whole() bool { return slices.Contains(p.Arrived, landingName) && len(p.Missing) == 0 }

// Canary sends one alert through everything and waits for it.
//
// What its arrival shows: alerts are taken in; the dispatcher runs on the configuration
// that is loaded now, its timers fire; inhibitions, silences and muted times are asked
// and let a critical alert pass; the log of notifications answers; and the matchers of
// the user's tree lead a critical alert without other labels to the receivers that are
// listed, as far as the very last step before the network. There the canary is taken
// out, so nobody is mailed.
//
// What it does not show: that the mail server or the webhook accepts a message (real
// messages show that, see Deliveries), and where alerts with other labels go.
func (a *Alertmanager) Canary(ctx context.Context) (Passage, error) {
	now := a.opt.Now()
	id := now.UTC().Format("20060102T150405.000000000")
	labels := map[string]string{model.AlertNameLabel: CanaryName, "severity": "critical", "system": a.opt.System, canaryLabel: id}
	w := a.way.Load()
	wanted := w.wanted(labelSet(labels))
	came := a.canaries.expect(id)
	defer a.canaries.forget(id)
	one := Alert{Labels: labels, StartsAt: now, EndsAt: now.Add(2 * a.opt.Deadline), Annotations: map[string]string{"summary": "upkeep watches the way of alerts"}}
	if err := a.Send(ctx, []Alert{one}); err != nil {
		return Passage{Sent: now}, err
	}
	p := Passage{Sent: now, Arrived: a.await(ctx, came, wanted)}
	p.Took = a.opt.Now().Sub(now).Seconds()
	a.explain(ctx, w, labelSet(labels), wanted, &p)
	a.canaries.note(p)
	if a.opt.Passage != nil {
		a.opt.Passage(ctx, p)
	}
	return p, nil
}

// wanted are the receivers to which labels lead, and that have a way out.
func (w *way) wanted(labels model.LabelSet) (names []string) {
	for _, r := range w.route.Match(labels) {
		name := r.RouteOpts.Receiver
		if len(w.receivers[name]) > 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// await collects the receivers that a canary reaches, until it reached all or is given up.
func (a *Alertmanager) await(ctx context.Context, came <-chan string, wanted []string) (arrived []string) {
	limit := time.NewTimer(a.opt.Deadline)
	defer limit.Stop()
	for {
		if !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(arrived, name) }) {
			return arrived
		}
		select {
		case name := <-came:
			arrived = append(arrived, name)
		case <-limit.C:
			return arrived
		case <-ctx.Done():
			return arrived
		}
	}
}

// explain tells what is held back from what is lost.
func (a *Alertmanager) explain(ctx context.Context, w *way, labels model.LabelSet, wanted []string, p *Passage) {
	m := marker.NewAlertMarker()
	a.mark(marker.WithContext(ctx, m), labels)
	status := m.Status(labels.Fingerprint())
	p.Silenced, p.Inhibits = status.SilencedBy, status.InhibitedBy
	resting := a.resting(ctx, w)
	for _, name := range wanted {
		switch {
		case slices.Contains(p.Arrived, name):
		case len(p.Silenced)+len(p.Inhibits) > 0, resting[name]:
			p.Held = append(p.Held, name)
		default:
			p.Missing = append(p.Missing, name)
		}
	}
}

// resting are the receivers whose canaries wait for the end of a muted time.
func (a *Alertmanager) resting(ctx context.Context, w *way) map[string]bool {
	muted := map[string]bool{}
	groups, _, err := w.dispatcher.Groups(ctx, func(*dispatch.Route) bool { return true },
		func(one *alert.Alert, _ time.Time) bool { return one.Labels[canaryLabel] != "" })
	if err != nil {
		return muted // the context has ended
	}
	for _, g := range groups {
		if _, is := a.muted.Muted(g.RouteID, g.GroupKey); is {
			muted[g.Receiver] = true
		}
	}
	return muted
}

// canaries are those on their way, and how the last ones fared.
type canaries struct {
	mu    sync.Mutex
	away  map[string]chan string
	last  Passage
	whole time.Time // when the last one came through; at first, when this process began
}

func newCanaries(now time.Time) *canaries {
	return &canaries{away: map[string]chan string{}, whole: now}
}

// mostReached bounds the receivers that one canary reports.
const mostReached = 1000

func (c *canaries) expect(id string) <-chan string {
	c.mu.Lock()
	defer c.mu.Unlock()
	came := make(chan string, mostReached)
	c.away[id] = came
	return came
}

func (c *canaries) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.away, id)
}

func (c *canaries) note(p Passage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = p
	if p.Whole() {
		c.whole = p.Sent
	}
}

// arrived notes canaries at a receiver and returns the other alerts.
func (c *canaries) arrived(receiver string, alerts []*alert.Alert) (others []*alert.Alert) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range alerts {
		id := string(one.Labels[canaryLabel])
		if id == "" {
			others = append(others, one)
			continue
		}
		select {
		case c.away[id] <- receiver:
		default: // nobody waits for it any more
		}
	}
	return others
}

// landing is the way out of our own receiver: canaries end there.
func (a *Alertmanager) landing(name string) notify.Integration {
	return notify.NewIntegration(a.watch(nowhere{}, name, "canary", 0), firingOnly{}, "canary", 0, name)
}

type nowhere struct{}

func (nowhere) Notify(context.Context, ...*alert.Alert) (bool, error) { return false, nil }

type firingOnly struct{}

func (firingOnly) SendResolved() bool { return false }

// retried is the time after which a canary that was lost is followed by another.
const retried = 10 * time.Minute

// sendCanaries sends the first at once, then one each time it is due.
func (a *Alertmanager) sendCanaries(ctx context.Context) {
	for {
		p, err := a.Canary(ctx)
		wait := a.opt.Canary
		if err != nil || !p.Whole() {
			wait = min(wait, retried)
		}
		if ctx.Err() == nil && !p.Whole() {
			a.opt.Log.Error("the canary of alerts did not come through", "arrived", strings.Join(p.Arrived, " "),
				"missing", strings.Join(p.Missing, " "), "silenced_by", strings.Join(p.Silenced, " "), "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
