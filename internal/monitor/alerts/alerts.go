// Package alerts is Alertmanager, embedded: alerts are grouped, held back, repeated,
// inhibited, silenced and sent as the user's own alertmanager.yml says, or as one says
// that is made from notify:. What makes alerts, rules and findings, is elsewhere.
//
// Beyond what Alertmanager does, it watches whether its messages are accepted, says so
// another way when they are not, and sends a canary through all of it once a day.
package alerts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
)

// Source is what a reload may change.
type Source struct {
	File     string // the user's alertmanager.yml; "" = made from Notify
	Notify   Notify // with a File only a way to tell that its receivers fail
	Language string // of our own messages: zh, else English
}

// Options are what one Alertmanager works with.
type Options struct {
	Source
	Dir         string // silences and the log of notifications lie here
	System      string // the declared system, a label of what upkeep itself says
	ExternalURL string // of the page, as messages name it
	Log         *slog.Logger
	// Now is what is judged by. Alertmanager itself goes by the machine's clock.
	Now     func() time.Time
	Passage func(context.Context, Passage) // is told of every canary; nil = nobody

	FailsAfter time.Duration // a receiver that accepts nothing for so long is a finding; 0 = 5 minutes
	Attempt    time.Duration // what one attempt to deliver may take; 0 = 30 seconds
	Canary     time.Duration // between two canaries; 0 = a day
	Deadline   time.Duration // what a canary may take to arrive; 0 = a minute
}

const (
	retention   = 5 * 24 * time.Hour // of ended silences and sent notifications, as Alertmanager's own
	maintenance = 15 * time.Minute   // between two snapshots of both
	collected   = 30 * time.Minute   // between two removals of ended alerts
)

func (o *Options) defaults() {
	o.FailsAfter = orElse(o.FailsAfter, 5*time.Minute)
	o.Attempt = orElse(o.Attempt, 30*time.Second)
	o.Canary = orElse(o.Canary, 24*time.Hour)
	o.Deadline = orElse(o.Deadline, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func orElse(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}

// Alertmanager routes alerts. All methods are safe for concurrent use.
type Alertmanager struct {
	opt      Options
	external *url.URL
	registry *prometheus.Registry
	sent     *nflog.Log
	silences *silence.Silences
	silencer *silence.Silencer
	alerts   *mem.Alerts
	muted    marker.GroupMarker
	api      *api.API
	builder  *notify.PipelineBuilder
	counts   *dispatch.DispatcherMetrics
	delivery *deliveries
	canaries *canaries
	held     holding

	changing sync.Mutex // one configuration at a time
	way      atomic.Pointer[way]
	closing  sync.Once
}

// recorder of events is one that keeps none.
var recorder eventrecorder.Recorder

// Open loads the configuration and begins to route. A configuration that is refused is
// an error of type diag.List where it is the user's file. It goes on until Close, whatever
// becomes of ctx.
func Open(ctx context.Context, opt Options) (*Alertmanager, error) {
	opt.defaults()
	external, err := url.Parse(opt.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("read the address of the page: %w", err)
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of silences: %w", err)
	}
	a := &Alertmanager{opt: opt, external: external, registry: prometheus.NewRegistry(), muted: marker.NewGroupMarker(),
		delivery: newDeliveries(opt.Now), canaries: newCanaries(opt.Now())}
	if err := a.keep(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	if err := a.Reload(opt.Source); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// keep opens what outlives a configuration.
func (a *Alertmanager) keep(life context.Context) (err error) {
	log, flags := a.opt.Log, namedReceivers{}
	a.sent, err = nflog.New(nflog.Options{SnapshotFile: a.file("nflog"), Retention: retention, Logger: log, Metrics: a.registry})
	if err != nil {
		return fmt.Errorf("open the log of notifications: %w", err)
	}
	a.silences, err = silence.New(silence.Options{SnapshotFile: a.file("silences"), Retention: retention, Logger: log, Metrics: a.registry,
		EventRecorder: recorder})
	if err != nil {
		return fmt.Errorf("open the silences: %w", err)
	}
	a.silencer = silence.NewSilencer(a.silences, log, recorder)
	a.alerts, err = mem.NewAlerts(life, collected, 0, a.silencer, log, recorder, a.registry, flags)
	if err != nil {
		return fmt.Errorf("keep alerts: %w", err)
	}
	a.builder = notify.NewPipelineBuilder(a.registry, flags, recorder)
	a.counts = dispatch.NewDispatcherMetrics(false, a.registry, flags)
	a.api, err = a.newAPI()
	return err
}

func (a *Alertmanager) file(name string) string { return filepath.Join(a.opt.Dir, name) }

// namedReceivers has notifications counted by receiver, not only by kind of receiver.
type namedReceivers struct{ featurecontrol.NoopFlags }

func (namedReceivers) EnableReceiverNamesInMetrics() bool { return true }

// Metrics are Alertmanager's own, under their stock names.
func (a *Alertmanager) Metrics() prometheus.Gatherer { return a.registry }

// Run keeps snapshots, sends canaries and tells of receivers that fail, until ctx ends;
// then it closes. The last snapshots are taken when nothing is sent any more: what they
// do not have is sent again after the next start.
func (a *Alertmanager) Run(ctx context.Context) error {
	var all, kept sync.WaitGroup
	stop := make(chan struct{})
	kept.Go(func() { a.sent.Maintenance(maintenance, a.file("nflog"), stop, nil) })
	kept.Go(func() { a.silences.Maintenance(maintenance, a.file("silences"), stop, nil) })
	all.Go(func() { a.sendCanaries(ctx) })
	all.Go(func() { a.tellOfFailures(ctx) })
	<-ctx.Done()
	err := a.Close()
	all.Wait()
	close(stop)
	kept.Wait()
	return err
}

// Close ends routing. What was about to be sent is sent after the next start: the log
// of notifications has not got it.
func (a *Alertmanager) Close() error {
	a.closing.Do(func() {
		if w := a.way.Load(); w != nil {
			w.stop()
		}
		a.alerts.Close()
	})
	return nil
}
