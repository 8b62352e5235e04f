package web_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/internal/surface/web"
)

// told is an instance whose check says what was planned.
type told struct {
	service.Instance
	check func() (service.Verdict, error)
}

func (t told) Close() error { return nil }

func (t told) Check(context.Context) (service.Verdict, error) { return t.check() }

// kind is one whose check says what was planned, in words of its own.
func kind(name, words string, check func() (service.Verdict, error)) service.Kind {
	open := func(service.Env, struct{}) (told, error) { return told{check: check}, nil }
	return service.Define(name, open, []byte(words), nil)
}

// hostile is a name that was chosen to break out of a page.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>`

// kinds are those of the declaration; asked is called by the check of workers.
func kinds(objects *servicetest.Bucket, asked func()) *service.Registry {
	fine := func(facts service.Facts) func() (service.Verdict, error) {
		return func() (service.Verdict, error) { return service.Verdict{Facts: facts}, nil }
	}
	return service.NewRegistry(objects.Kind(),
		kind("celery", `findings: {unattended: {en: {title: 'queue "{{.subject}}" has {{count .n}} messages and no consumer', fix: "start a worker with -Q {{.subject}}, then: upkeep check {{.target}}"}, zh: {title: '队列“{{.subject}}”积压 {{count .n}} 条消息，没有消费者', fix: "启动一个带 -Q {{.subject}} 的 worker，然后：upkeep check {{.target}}"}}}`,
			func() (v service.Verdict, err error) {
				asked()
				v.Crit("unattended", "files", service.Args{"n": 1204})
				v.Warn("unattended", hostile, service.Args{"n": 3})
				v.Set("version", "5.4.0"+hostile)
				return v, nil
			}),
		kind("postgres", `findings: {bloat: {en: {title: 'table "{{.subject}}" is {{percent .share}} bloat', fix: "upkeep maintain {{.target}}"}, zh: {title: '表“{{.subject}}”有 {{percent .share}} 膨胀', fix: "upkeep maintain {{.target}}"}}}`,
			func() (v service.Verdict, err error) {
				v.Warn("bloat", "slices", service.Args{"share": 0.43})
				v.Set("version", "15.18")
				v.Set("size_bytes", 791674880)
				return v, nil
			}),
		kind("endpoint", `findings: {}`, func() (service.Verdict, error) { return service.Verdict{}, service.ErrUnreachable }),
		kind("redis", `findings: {}`, fine(service.Facts{"version": "7.0.15", "keys": 112904, "used_memory": 112_000_000})),
		kind("host", `findings: {}`, fine(service.Facts{"memory_available_bytes": 23e9, "load15": 0.75,
			"mounts": map[string]any{"/": map[string]any{"used": 0.66, "size_bytes": 200e9, "free_bytes": 68e9}}})),
	)
}

const declaration = `system: cot-studio
state: state
scratch: {dir: scratch}
services:
  api:     {kind: endpoint}
  db:      {kind: postgres}
  objects: {kind: fake}
  cache:   {kind: redis}
  machine: {kind: host}
  workers: {kind: celery}
keep: {last: 3, daily: 7}
jobs: {daily: {do: [check, backup, verify, drill, report]}}
`

// fixture is a system whose journal and repository the program has made.
type fixture struct {
	*control.App
	dir     string
	now     time.Time
	objects *servicetest.Bucket
	page    http.Handler

	points   []web.Point
	pointsOf string

	measures, schedules bool
	asked               func() // whenever workers are checked
	fails               error  // of everything that is asked
	language            string
	fresh               time.Duration
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	l := &fixture{dir: t.TempDir(), now: time.Date(2026, 11, 22, 14, 0, 0, 0, time.FixedZone("", 8*3600)), objects: servicetest.NewBucket(3),
		measures: true, schedules: true, asked: func() {}}
	registry := kinds(l.objects, func() { l.asked() })
	file := filepath.Join(l.dir, "upkeep.yaml")
	if err := os.WriteFile(file, []byte(declaration), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Load([]string{file}, registry)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	texts, err := control.Texts(registry, web.Words())
	if err != nil {
		t.Fatal(err)
	}
	l.App = control.Open(cfg[0], control.Options{Kinds: registry, Getenv: func(string) string { return "" }, Now: func() time.Time { return l.now },
		Log: slog.New(slog.DiscardHandler), User: "li", FailOn: service.Critical, Words: texts.Words("en"), NewPassword: func(_, _ string) {}})
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	l.page = web.New(web.World{System: l, Texts: texts, Now: func() time.Time { return l.now }, Log: slog.New(slog.DiscardHandler)})
	return l
}

// does runs verbs, an hour after each other.
func (l *fixture) does(t testing.TB, verbs ...string) (last journal.Run) {
	t.Helper()
	for _, verb := range verbs {
		run, err := l.Submit(t.Context(), control.Request{Verb: verb, Targets: map[string][]string{"backup": {"objects"}}[verb]})
		if err != nil {
			t.Fatalf("%s: %v", verb, err)
		}
		l.now, last = l.now.Add(time.Hour), run
	}
	return last
}

func (l *fixture) Name() string         { return l.Config.System }
func (l *fixture) Language() string     { return l.language }
func (l *fixture) Fresh() time.Duration { return l.fresh }

func (l *fixture) Standings(ctx context.Context) ([]control.Standing, error) {
	if l.fails != nil {
		return nil, l.fails
	}
	return l.App.Standings(ctx)
}

// Points are read again when something ran: reading them takes long.
func (l *fixture) Points(ctx context.Context) ([]web.Point, error) {
	newest, _, err := l.Runs(ctx, journal.Query{Limit: 1})
	if err != nil || len(newest) == 0 || newest[0].ID == l.pointsOf {
		return l.points, err
	}
	points, rules, err := l.Held(ctx)
	l.points, l.pointsOf = nil, newest[0].ID
	for _, p := range points {
		l.points = append(l.points, web.Point{Point: p, KeptBy: rules[p.ID]})
	}
	return l.points, err
}

func (l *fixture) Stores(ctx context.Context) ([]report.Capacity, error) { return l.App.Stores(ctx) }

func (l *fixture) Next(context.Context) ([]web.Due, error) {
	if !l.schedules {
		return nil, service.ErrUnsupported
	}
	return []web.Due{
		{Sort: "job", Name: "weekly", At: l.now.Add(37 * time.Hour), Until: l.now.Add(39 * time.Hour)},
		{Sort: "job", Name: "daily", At: l.now.Add(6 * time.Hour), Last: l.now.Add(-18 * time.Hour), Run: "20261121T200000-0000"},
		{Sort: "item", Name: "monthly/tls-renewal", At: l.now.Add(-26 * time.Hour), Overdue: true},
	}, nil
}

func (l *fixture) Alerts(context.Context) (web.Alerts, error) {
	if !l.measures {
		return web.Alerts{}, service.ErrUnsupported
	}
	return web.Alerts{
		Alerts: []web.Alert{
			{Name: "DiskFillsUp", Severity: service.Warning, Target: "machine", Summary: "/ is 91 % full", Since: l.now.Add(-3 * time.Hour), Runbook: "docs/runbooks/host.disk-nearly-full.md"},
			{Name: "QueueUnattended", Severity: service.Critical, Target: "workers", Summary: hostile, Detail: "start a worker, then: upkeep check workers", Since: l.now.Add(-22 * time.Minute)},
			{Name: "Latency", Severity: service.Warning, Target: "api", Summary: "p95 over 2 s", Since: l.now.Add(-50 * time.Hour), SilencedBy: []string{"a1b2"}},
		},
		Silences: []web.Silence{{ID: "a1b2", By: "li", Why: "new release", Matchers: []string{`alertname="Latency"`}, From: l.now.Add(-time.Hour), Until: l.now.Add(2 * time.Hour)}},
		Rules: []web.Rule{{Name: "Latency", Group: "api", Expr: "histogram_quantile(0.95, x) > 2", State: "firing"}, {Name: "InstanceDown", Group: "base", Expr: "up == 0", State: "inactive"},
			{Name: "Odd", Group: "base", Expr: "sum(", Error: "unclosed parenthesis"}},
		Lint: []web.Lint{{Rule: "CeleryDown", Place: "alert_rules.yml:14", Missing: "metric", What: "celery_workers", Nearest: "celery_worker_up"}},
	}, nil
}

// Series is a fixed source: a wave of samples with a gap, of what is not the cache.
func (l *fixture) Series(_ context.Context, expr string, from, to time.Time, step time.Duration) ([]web.Series, error) {
	if !l.measures {
		return nil, service.ErrUnsupported
	}
	if strings.Contains(expr, "redis") {
		return nil, nil
	}
	s := web.Series{Labels: map[string]string{"mountpoint": "/", "target": "x"}}
	for i := 0; !from.After(to); i, from = i+1, from.Add(step) {
		switch i % 50 {
		case 20:
			continue
		case 30:
			s.Samples = append(s.Samples, web.Sample{At: from, Value: math.NaN()})
		default:
			s.Samples = append(s.Samples, web.Sample{At: from, Value: 0.5 + float64(i)/1000 + 0.1*math.Sin(float64(i)/7)})
		}
	}
	return []web.Series{s}, nil
}

// get asks for a page and wants a status.
func (l *fixture) get(t testing.TB, path string, status int, headers ...string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	l.page.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("GET %s: %d, want %d\n%s", path, w.Code, status, w.Body)
	}
	return w.Body.String()
}

// asks reads an answer as JSON.
func (l *fixture) asks(t *testing.T, path string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(l.get(t, path, http.StatusOK)), into); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}
