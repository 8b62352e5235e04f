package alerts

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
)

// way is what one configuration makes of alerts: it is built anew for each.
type way struct {
	source     Source
	config     *config.Config
	route      *dispatch.Route
	receivers  map[string][]notify.Integration
	inhibitor  *inhibit.Inhibitor
	dispatcher *dispatch.Dispatcher
}

// ungrouped is how often a dispatcher looks for groups that are empty.
const ungrouped = 30 * time.Second

// Reload reads the configuration again, or another. One that is refused changes nothing:
// the one before goes on.
func (a *Alertmanager) Reload(source Source) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	conf, err := source.configuration()
	if err != nil {
		return err
	}
	next, err := a.prepare(source, conf)
	if err != nil {
		return err
	}
	if old := a.way.Load(); old != nil {
		old.stop()
	}
	a.begin(next)
	return nil
}

// prepare does all that can fail and touches nothing that works.
func (a *Alertmanager) prepare(source Source, conf *config.Config) (*way, error) {
	words, err := source.templates(conf.Templates, a.external)
	if err != nil {
		return nil, err
	}
	ours := a.extend(conf)
	w := &way{source: source, config: conf, route: dispatch.NewRoute(conf.Route, nil), receivers: map[string][]notify.Integration{}}
	for _, r := range conf.Receivers {
		integrations, err := a.integrations(source, r, words)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
		}
		w.receivers[r.Name] = integrations
	}
	w.receivers[ours] = []notify.Integration{a.landing(ours)}
	w.inhibitor = inhibit.NewInhibitor(a.alerts, conf.InhibitRules, a.opt.Log, recorder)
	w.dispatcher = a.dispatcher(w, words)
	return w, nil
}

func (a *Alertmanager) dispatcher(w *way, words *template.Template) *dispatch.Dispatcher {
	noWait := func() time.Duration { return 0 }
	pipeline := a.builder.New(w.receivers, noWait, w.inhibitor, a.silencer, timeinterval.NewIntervener(intervals(w.config)), a.muted, a.sent, nil)
	patience := func(d time.Duration) time.Duration { return max(d, notify.MinTimeout) }
	return dispatch.NewDispatcher(a.alerts, w.route, pipeline, a.muted, patience, ungrouped, nil, a.opt.Log, recorder, a.counts, words)
}

func intervals(conf *config.Config) map[string][]timeinterval.TimeInterval {
	all := map[string][]timeinterval.TimeInterval{}
	for _, t := range conf.MuteTimeIntervals {
		all[t.Name] = t.TimeIntervals
	}
	for _, t := range conf.TimeIntervals {
		all[t.Name] = t.TimeIntervals
	}
	return all
}

// begin lets alerts take a way. The inhibitor first knows all alerts, else one would be
// sent that another inhibits; until the dispatcher knows them too, the API asks the way
// before.
func (a *Alertmanager) begin(w *way) {
	go w.inhibitor.Run()
	w.inhibitor.WaitForLoading()
	a.delivery.only(w.receivers)
	go w.dispatcher.Run(time.Now()) // the library measures by the clock of the machine
	w.dispatcher.WaitForLoading()
	a.way.Store(w)
	a.api.Update(w.config, a.mark)
}

// mark finds out whether an alert is held back, for the marker in ctx.
func (a *Alertmanager) mark(ctx context.Context, labels model.LabelSet) {
	a.way.Load().inhibitor.Mutes(ctx, labels)
	a.silencer.Mutes(ctx, labels)
}

func (w *way) stop() {
	w.inhibitor.Stop()
	w.dispatcher.Stop()
}

// groups are the alerts as they are grouped now.
func (a *Alertmanager) groups(ctx context.Context, route func(*dispatch.Route) bool, which func(*alert.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
	return a.way.Load().dispatcher.Groups(ctx, route, which)
}
