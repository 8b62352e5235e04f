package series

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/prometheus/prometheus/model/labels"
)

// prometheusVersion is what clients are told; they choose by it what they may ask.
const prometheusVersion = "3.15.0"

// Limits of remote read, a quarter of Prometheus' own.
const (
	readSamples = 5e6
	readAtOnce  = 4
	readFrame   = 1 << 20 // bytes
)

// Handler answers prefix/api/v1 as Prometheus does. It only reads: there is no way to write,
// to delete or to reload.
func (s *Store) Handler(prefix string) http.Handler {
	api := v1.NewAPI(s.asked, s.storage, nil, nil, nil,
		func(context.Context) v1.ScrapePoolsRetriever { return s.scrape },
		func(context.Context) v1.TargetRetriever { return s.scrape },
		func(context.Context) v1.AlertmanagerRetriever { return s.notifier },
		s.declared, nil, v1.GlobalURLOptions{ListenAddress: s.external().Host, Host: s.external().Host, Scheme: s.external().Scheme},
		func(f http.HandlerFunc) http.HandlerFunc { return f }, // a Store is open, so it is ready
		stats{s.samples}, s.opt.Dir,
		false,    // admin
		false, 0, // search, which is experimental
		quiet(s.opt.Log, "api"),
		func(context.Context) v1.RulesRetriever { return s.rules },
		readSamples, readAtOnce, readFrame,
		false,                         // agent
		regexp.MustCompile(`[^\s\S]`), // origins that may ask from elsewhere: none
		s.runtimeInfo, &v1.PrometheusVersion{Version: prometheusVersion, GoVersion: runtime.Version()},
		func() []notifications.Notification { return nil }, nobody,
		s, s.registry, nil,
		false, nil, // remote write
		false, false, false, // OTLP
		false, lookback, false, false, nil,
		features.NewRegistry(), v1.OpenAPIOptions{}, s.loader.parser)
	router := route.New().WithPrefix(prefix + "/api/v1")
	api.Register(router)
	return router
}

// nobody is told of anything over a stream.
func nobody() (<-chan notifications.Notification, func(), bool) { return nil, nil, false }

func (s *Store) declared() config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.state.config
}

func (s *Store) runtimeInfo() (v1.RuntimeInfo, error) {
	host, err := os.Hostname()
	s.mu.Lock()
	defer s.mu.Unlock()
	return v1.RuntimeInfo{StartTime: s.begun, Hostname: host, ServerTime: time.Now().UTC(), ReloadConfigSuccess: true,
		LastConfigTime: s.state.loaded, CorruptionCount: int64(len(s.Loss())), GoroutineCount: runtime.NumGoroutine(),
		GOMAXPROCS: runtime.GOMAXPROCS(0), StorageRetention: s.state.opt.Keep.String()}, err
}

// Gather collects what Prometheus' parts tell of themselves.
func (s *Store) Gather() ([]*dto.MetricFamily, error) {
	p, done := s.samples.lend()
	defer done()
	return prometheus.Gatherers{s.registry, p.registry}.Gather()
}

// stats answers what the API asks of storage; while the disk takes nothing, of what is in memory.
type stats struct{ *samples }

func (s stats) Stats(label string, limit int) (*tsdb.Stats, error) {
	p, done := s.lend()
	defer done()
	return p.head().Stats(label, limit), nil
}

func (s stats) BlockMetas() (all []tsdb.BlockMeta, _ error) {
	p, done := s.lend()
	defer done()
	if p.disk != nil {
		return p.disk.BlockMetas(), nil
	}
	for _, b := range p.blocks {
		all = append(all, b.Meta())
	}
	return all, nil
}

func (stats) WALReplayStatus() (tsdb.WALReplayStatus, error) { return tsdb.WALReplayStatus{}, nil }

var errReadOnly = errors.New("samples are only read here")

// What only the admin interface asks for, which is not there.
func (stats) CleanTombstones() error                                         { return errReadOnly }
func (stats) Delete(context.Context, int64, int64, ...*labels.Matcher) error { return errReadOnly }
func (stats) Snapshot(string, bool) error                                    { return errReadOnly }
