package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus-community/postgres_exporter/collector"
	"github.com/prometheus-community/postgres_exporter/exporter"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

// collectors are those that postgres_exporter runs by default, and two that public rules and
// dashboards ask for and that cost a query each.
var collectors = []string{
	"database", "locks", "long_running_transactions", "postmaster", "replication", "replication_slot", "roles",
	"stat_bgwriter", "stat_database", "stat_progress_vacuum", "stat_user_tables", "statio_user_tables", "wal",
}

// switchOn sets the flags of the collectors, which are off until somebody parses a
// command line. Only these flags are touched: others live in the same list.
var switchOn = sync.OnceValue(func() error {
	for _, name := range collectors {
		flag := kingpin.CommandLine.GetFlag("collector." + name)
		if flag == nil {
			return fmt.Errorf("postgres_exporter has no collector %q", name)
		}
		if err := flag.Model().Value.Set("true"); err != nil {
			return fmt.Errorf("switch on collector %q: %w", name, err)
		}
	}
	return nil
})

// collecting is the exporter of one server with its connection, as long as that lasts.
type collecting struct {
	whole  *exporter.Exporter
	single *collector.PostgresCollector
}

// Collect takes the samples of postgres_exporter, whose connection stays open until Close. A
// server that does not answer gives pg_up 0 and an error.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	in.collecting.Lock() // the exporter's time limit is one for all its rounds
	defer in.collecting.Unlock()
	families, err := in.round(ctx)
	if err == nil && families == nil && in.exporter == nil { // the connection of earlier rounds was lost
		families, err = in.round(ctx)
	}
	for _, f := range families {
		emit(f)
	}
	switch {
	case families == nil && err == nil:
		err = fmt.Errorf("collect: %w", service.ErrUnreachable)
		fallthrough
	case families == nil:
		return errors.Join(err, gather(emit, down()))
	}
	return err
}

// round gives nothing where the server did not answer, and forgets a connection that was lost.
func (in *Instance) round(ctx context.Context) (families []*dto.MetricFamily, err error) {
	if in.exporter == nil {
		if in.exporter, err = in.prepare(ctx); err != nil {
			return nil, err
		}
	}
	in.exporter.single.CollectionTimeout = timeLeft(ctx)
	families, err = in.exporter.gather(ctx)
	switch {
	case ctx.Err() != nil:
		go in.exporter.whole.CloseServers() // waits for the round that was left behind
		in.exporter = nil
	case err != nil || families == nil:
		in.forget()
	}
	return families, err
}

// prepare connects once by itself: the exporter could not say why it cannot.
func (in *Instance) prepare(ctx context.Context) (*collecting, error) {
	if err := switchOn(); err != nil {
		return nil, err
	}
	conn, _, err := in.connectServer(ctx)
	if err != nil {
		return nil, err
	}
	_, encrypted := conn.PgConn().Conn().(*tls.Conn)
	address, err := in.exporterAddress(ctx, conn.Config().Database, encrypted)
	_ = goodbye(ctx, conn)
	if err != nil {
		return nil, err
	}
	log := slog.New(warnings{in.env.Log.Handler()})
	single, err := collector.NewPostgresCollector(log, nil, address, collectors,
		collector.WithCollectionTimeout(patience.String()))
	if err != nil {
		return nil, fmt.Errorf("set up the collectors: %w", err)
	}
	return &collecting{exporter.NewExporter([]string{address}, log, exporter.WithMetricPrefix("pg")), single}, nil
}

// forget closes the exporter's connection. The next round makes another.
func (in *Instance) forget() {
	if in.exporter != nil {
		in.exporter.whole.CloseServers()
	}
	in.exporter = nil
}

// gather is left behind when ctx ends first: half of the exporter knows no contexts.
func (c *collecting) gather(ctx context.Context) ([]*dto.MetricFamily, error) {
	type round struct {
		families []*dto.MetricFamily
		up       bool
		err      error
	}
	done := make(chan round, 1)
	go func() {
		var r round
		r.err = gather(func(f *dto.MetricFamily) {
			r.families = append(r.families, f)
			r.up = r.up || f.GetName() == "pg_up" && f.Metric[0].GetGauge().GetValue() == 1
		}, c.whole, c.single)
		done <- r
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("collect: %w: %w", ctx.Err(), service.ErrUnreachable)
	case r := <-done:
		if !r.up {
			return nil, r.err
		}
		return r.families, r.err
	}
}

// warnings leaves out that the exporter connects anew in every round.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// down is what is known of a server that does not answer.
func down() prometheus.Collector {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "pg_up", Help: "Whether the last scrape of metrics from PostgreSQL was able to connect to the server (1 for yes, 0 for no)."})
}

func gather(emit func(*dto.MetricFamily), from ...prometheus.Collector) error {
	registry := prometheus.NewRegistry()
	for _, c := range from {
		if err := registry.Register(c); err != nil {
			return fmt.Errorf("register collectors: %w", err)
		}
	}
	families, err := registry.Gather()
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "pg_") {
			emit(family)
		}
	}
	if err != nil {
		return fmt.Errorf("gather samples: %w", err)
	}
	return nil
}

// timeLeft is what the collectors get: without it they all fail and say nothing.
func timeLeft(ctx context.Context) time.Duration {
	left := patience
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	return max(left, time.Millisecond)
}

// exporterAddress is the URL with the password: the exporter connects by itself.
// Its driver takes a socket directory as host=, and knows no sslmode that tries.
func (in *Instance) exporterAddress(ctx context.Context, database string, encrypted bool) (string, error) {
	cfg, err := in.settings(ctx)
	if err != nil {
		return "", err
	}
	given, err := url.Parse(in.cfg.URL)
	if err != nil {
		return "", errors.New("read the url") // the cause would repeat it
	}
	query := url.Values{"connect_timeout": {"10"}, "application_name": {"upkeep"}, "sslmode": {"disable"}}
	if encrypted {
		query.Set("sslmode", "require")
	}
	for _, option := range []string{"sslmode", "sslrootcert", "sslcert", "sslkey"} {
		if text := given.Query().Get(option); text != "" && text != "prefer" && text != "allow" {
			query.Set(option, text)
		}
	}
	address := url.URL{Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Path: "/" + database}
	if strings.HasPrefix(cfg.Host, "/") {
		query.Set("host", cfg.Host)
		query.Set("port", fmt.Sprint(cfg.Port))
	} else {
		address.Host = fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	}
	address.RawQuery = query.Encode()
	return address.String(), nil
}
