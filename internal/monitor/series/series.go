// Package series is Prometheus inside this process: samples on disk, PromQL, scraping,
// rules and the HTTP API. It judges rules and hands alerts on; who hears of them, when and
// how often is not decided here.
package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
)

// Options say what a Store keeps, asks and judges. Reload takes all but Dir, External, Notify and Log.
type Options struct {
	Dir      string            // made if missing; one process at a time
	Keep     time.Duration     // samples
	Size     int64             // bytes of kept samples; beyond it the oldest go; 0 = no bound
	Scrape   string            // path of a prometheus.yml, taken as it is; "" = nothing is scraped
	Rules    []string          // files of rules, or patterns of them
	Builtin  map[string][]byte // rule files that come with the program, by name
	Labels   map[string]string // of every alert and of what is written elsewhere; external_labels of Scrape go before them
	Every    time.Duration     // between two evaluations, where Scrape and the group say nothing
	External string            // address of this process, for the links of alerts

	// Notify gets every alert that fires or has ended, again about each minute while it fires.
	// It must not block: evaluation waits for it.
	Notify func(alerts ...Alert)
	// Known is what collectors of this process export, also before anything was collected.
	Known func() Known
	Log   *slog.Logger
}

// Known is what rules may be written about before there is a sample.
type Known struct {
	Metrics []string
	Jobs    []string // values of the label job
}

// Store is safe for use by several goroutines.
type Store struct {
	opt      Options              // of Open; changing ones are in state
	registry *prometheus.Registry // of all but the disk, which has one each time it is opened
	samples  *samples
	storage  *forwarded
	scrape   *scrape.Manager
	notifier *notifier.Manager
	find     finder // of scrape targets
	findAlso finder // of Alertmanagers that Scrape names
	rules    *rules.Manager
	loader   *loader
	asked    *promql.Engine // by people: few at once, so that they cannot hold up alerts
	judging  *promql.Engine // by rules
	appended *appended
	begun    time.Time
	end      context.CancelFunc
	closed   func() error

	mu    sync.Mutex
	state state
}

// state is what a reload replaces.
type state struct {
	opt    Options
	config *config.Config
	loaded time.Time
	lints  []Lint
}

// Open reads what is kept, mends what is damaged and loads Scrape and the rules; a Scrape that is wrong
// is an error of type diag.List. Nothing is scraped or judged before Run.
func Open(ctx context.Context, opt Options) (_ *Store, err error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	declared, err := declaration(opt)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s := &Store{opt: opt, registry: prometheus.NewRegistry(), end: end, begun: time.Now(), appended: newAppended()}
	s.closed = sync.OnceValue(s.close)
	if err := s.build(life, declared); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) build(life context.Context, declared *config.Config) (err error) {
	if s.samples, err = openSamples(s.opt); err != nil {
		return err
	}
	far := remote.NewStorage(quiet(s.opt.Log, "remote"), s.registry, s.samples.StartTime, s.opt.Dir, flushDeadline, scraping{s}, false)
	s.samples.notify(far)
	s.storage = &forwarded{samples: s.samples, remote: far, all: storage.NewFanout(s.opt.Log, s.samples, far)}
	if err := s.buildScraping(life); err != nil {
		return err
	}
	s.notifier = notifier.NewManager(&notifier.Options{QueueCapacity: notifyQueue, MaxBatchSize: notifier.DefaultMaxBatchSize,
		DrainOnShutdown: true, Registerer: s.registry}, declared.GlobalConfig.MetricNameValidationScheme, quiet(s.opt.Log, "notifier"))
	s.buildRules(life, declared)
	return s.apply(life, s.opt, declared)
}

// Run scrapes and judges until ctx ends, then closes the store. It returns when nothing of
// it runs any more.
func (s *Store) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	for _, part := range []func(){
		func() { s.find.run(ctx) },
		func() { s.findAlso.run(ctx) },
		func() { _ = s.scrape.Run(s.find.SyncCh()) }, // never fails
		func() { s.notifier.Run(s.findAlso.SyncCh()) },
		s.rules.Run,
		func() { s.lintUntil(ctx) },
		func() { s.samples.guard(ctx) },
	} {
		parts.Go(part)
	}
	<-ctx.Done()
	s.scrape.Stop()
	s.rules.Stop()
	s.notifier.Stop()
	s.end()
	parts.Wait()
	return s.Close()
}

// Close writes what is not yet on disk. Run does it by itself.
func (s *Store) Close() error { return s.closed() }

func (s *Store) close() error {
	s.end()
	if s.storage == nil {
		return nil
	}
	return s.storage.Close()
}

// Reload takes another declaration. One that is wrong is refused as a diag.List and the old
// one stays in force; of a rule file that is wrong the last good text stays in force.
func (s *Store) Reload(ctx context.Context, opt Options) error {
	opt.Dir, opt.External, opt.Notify, opt.Log = s.opt.Dir, s.opt.External, s.opt.Notify, s.opt.Log
	declared, err := declaration(opt)
	if err != nil {
		return err
	}
	s.mu.Lock()
	old := s.state
	s.mu.Unlock()
	if err := s.apply(ctx, opt, declared); err != nil {
		return errors.Join(err, s.apply(ctx, old.opt, old.config))
	}
	return nil
}

// apply hands a declaration to everything that follows it. The order is that of Prometheus:
// who gets targets must know the new declaration before they are found.
func (s *Store) apply(ctx context.Context, opt Options, declared *config.Config) error {
	s.mu.Lock()
	s.state = state{opt: opt, config: declared, loaded: time.Now()}
	s.mu.Unlock()
	for _, take := range []struct {
		name string
		by   func(*config.Config) error
	}{
		{"samples", s.samples.ApplyConfig},
		{"remote storage", s.storage.ApplyConfig},
		{"scraping", s.scrape.ApplyConfig},
		{"targets", s.findTargets},
		{"alerting", s.notifier.ApplyConfig},
		{"alertmanagers", s.findAlertmanagers},
		{"rules", s.loadRules},
	} {
		if err := take.by(declared); err != nil {
			return fmt.Errorf("%s: %w", take.name, err)
		}
	}
	s.lintLoaded(ctx)
	return nil
}

// external is the address that links in alerts begin with.
func (s *Store) external() *url.URL {
	u, err := url.Parse(s.opt.External)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// quietly leaves out what Prometheus' parts tell while all is well.
type quietly struct{ slog.Handler }

func (q quietly) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

func (q quietly) WithAttrs(a []slog.Attr) slog.Handler { return quietly{q.Handler.WithAttrs(a)} }

func (q quietly) WithGroup(name string) slog.Handler { return quietly{q.Handler.WithGroup(name)} }

func quiet(log *slog.Logger, part string) *slog.Logger {
	return slog.New(quietly{log.Handler()}).With("part", part)
}
