package alerts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/common/model"
)

// Alert is one alert as rules and findings give it.
type Alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"starts_at"`
	EndsAt       time.Time         `json:"ends_at,omitzero"` // zero: it ends when it is not sent again within resolve_timeout
	GeneratorURL string            `json:"generator_url,omitempty"`
}

// Active is an alert that fires, and what Alertmanager makes of it.
type Active struct {
	Alert
	Fingerprint string   `json:"fingerprint"`
	State       string   `json:"state"`                  // active or suppressed
	SilencedBy  []string `json:"silenced_by,omitempty"`  // IDs of silences
	InhibitedBy []string `json:"inhibited_by,omitempty"` // fingerprints of alerts
	Receivers   []string `json:"receivers"`              // to which it goes when nothing holds it back
}

// Send takes alerts in. The same labels are the same alert: sent again it goes on, with
// an EndsAt that has passed it is over.
func (a *Alertmanager) Send(ctx context.Context, alerts []Alert) error {
	now := a.opt.Now()
	timeout := time.Duration(a.way.Load().config.Global.ResolveTimeout)
	taken := make([]*alert.Alert, 0, len(alerts))
	for _, given := range alerts {
		one := given.internal(now, timeout)
		if err := one.Validate(); err != nil {
			return fmt.Errorf("alert %v: %w", given.Labels, err)
		}
		taken = append(taken, one)
	}
	return a.alerts.Put(ctx, taken...)
}

func (g Alert) internal(now time.Time, timeout time.Duration) *alert.Alert {
	one := &alert.Alert{UpdatedAt: now, Alert: model.Alert{Labels: labelSet(g.Labels), Annotations: labelSet(g.Annotations),
		StartsAt: g.StartsAt, EndsAt: g.EndsAt, GeneratorURL: g.GeneratorURL}}
	if one.StartsAt.IsZero() {
		one.StartsAt = now
	}
	if one.EndsAt.IsZero() {
		one.Timeout, one.EndsAt = true, now.Add(timeout)
	}
	if one.EndsAt.Before(one.StartsAt) {
		one.StartsAt = one.EndsAt
	}
	return one
}

// labelSet leaves out what is empty: Alertmanager takes it for absent.
func labelSet(m map[string]string) model.LabelSet {
	set := model.LabelSet{}
	for name, value := range m {
		if value != "" {
			set[model.LabelName(name)] = model.LabelValue(strings.ToValidUTF8(value, "\uFFFD"))
		}
	}
	return set
}

func plain(set model.LabelSet) map[string]string {
	m := make(map[string]string, len(set))
	for name, value := range set {
		m[string(name)] = string(value)
	}
	return m
}

// Active lists the alerts that fire, without canaries.
func (a *Alertmanager) Active(ctx context.Context) []Active {
	all, now := []Active{}, a.opt.Now()
	pending := a.alerts.GetPending()
	defer pending.Close()
	for p := range pending.Next() {
		if p.Data.ResolvedAt(now) || p.Data.Labels[canaryLabel] != "" {
			continue
		}
		all = append(all, a.active(ctx, p.Data))
	}
	slices.SortFunc(all, func(x, y Active) int {
		return cmp.Or(x.StartsAt.Compare(y.StartsAt), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	return all
}

func (a *Alertmanager) active(ctx context.Context, one *alert.Alert) Active {
	m := marker.NewAlertMarker()
	a.mark(marker.WithContext(ctx, m), one.Labels)
	status := m.Status(one.Fingerprint())
	v := Active{Alert: Alert{Labels: plain(one.Labels), Annotations: plain(one.Annotations), StartsAt: one.StartsAt, EndsAt: one.EndsAt,
		GeneratorURL: one.GeneratorURL}, Fingerprint: one.Fingerprint().String(), State: "active", SilencedBy: status.SilencedBy,
		InhibitedBy: status.InhibitedBy, Receivers: []string{}}
	if len(status.SilencedBy)+len(status.InhibitedBy) > 0 {
		v.State = "suppressed"
	}
	for _, r := range a.way.Load().route.Match(one.Labels) {
		if !slices.Contains(v.Receivers, r.RouteOpts.Receiver) {
			v.Receivers = append(v.Receivers, r.RouteOpts.Receiver)
		}
	}
	return v
}

// holding is what each source holds true.
type holding struct {
	mu  sync.Mutex
	all map[string]map[model.Fingerprint]Alert
}

// Hold makes alerts all that a source holds true: they fire, and those that it held
// before and does not now are over. It is to be called again within resolve_timeout.
func (a *Alertmanager) Hold(ctx context.Context, source string, alerts []Alert) error {
	a.held.mu.Lock()
	defer a.held.mu.Unlock()
	next, send := map[model.Fingerprint]Alert{}, slices.Clone(alerts)
	for _, one := range alerts {
		next[labelSet(one.Labels).Fingerprint()] = one
	}
	for key, before := range a.held.all[source] {
		if _, holds := next[key]; !holds {
			before.EndsAt = a.opt.Now()
			send = append(send, before)
		}
	}
	if err := a.Send(ctx, send); err != nil {
		return err
	}
	if a.held.all == nil {
		a.held.all = map[string]map[model.Fingerprint]Alert{}
	}
	a.held.all[source] = next
	return nil
}
