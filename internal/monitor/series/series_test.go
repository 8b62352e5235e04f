package series_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"upkeep/internal/diag"
	"upkeep/internal/monitor/series"
)

// running is a store that runs until the test ends, and the alerts that it has sent.
type running struct {
	*series.Store
	stop func()

	mu     sync.Mutex
	alerts []series.Alert
}

func (r *running) notify(alerts ...series.Alert) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alerts = append(r.alerts, alerts...)
}

func (r *running) heard() []series.Alert {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.alerts)
}

func start(t *testing.T, opt series.Options) *running {
	t.Helper()
	r := &running{}
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	if opt.Keep == 0 {
		opt.Keep = 24 * time.Hour
	}
	opt.Every, opt.Notify = time.Second, r.notify
	opt.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := series.Open(t.Context(), opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r.Store, r.stop = s, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// until waits for a state.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// target answers with text and gives its host and port.
func target(t *testing.T, text string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func scrapes(t *testing.T, job, address string) string {
	return file(t, "prometheus.yml", fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"+
		"scrape_configs:\n  - job_name: %s\n    static_configs: [{targets: ['%s']}]\n", job, address))
}

func value(t *testing.T, s *running, expr string) (float64, bool) {
	t.Helper()
	all, err := s.Query(t.Context(), expr, time.Now())
	if err != nil {
		t.Fatalf("query %s: %v", expr, err)
	}
	if len(all) == 0 {
		return 0, false
	}
	return all[0].Points[0].Value, true
}

func TestDeclarationsOfTheGuidesLoadUnchanged(t *testing.T) {
	for guide, jobs := range map[string][]string{
		"cot-studio": {"cot-studio-backend", "postgres", "redis"}, "pilot-bench": {"node_exporter", "pilot_bench"}} {
		t.Run(guide, func(t *testing.T) {
			s := start(t, series.Options{Scrape: filepath.Join("testdata", "guides", guide+".prometheus.yml")})
			until(t, "every target is known", func() bool { return len(s.Targets()) == len(jobs) })
			for i, target := range s.Targets() {
				if target.Job != jobs[i] {
					t.Errorf("target %d is of job %s, want %s", i, target.Job, jobs[i])
				}
			}
		})
	}
}

func TestRulesOfTheGuideAreJudgedAndMissedMetricsNamed(t *testing.T) {
	backend := target(t, "process_cpu_seconds_total 1\nhttp_requests_duration_seconds_bucket{le=\"1\"} 1\nsystem_memory_usage_percent 3\n")
	s := start(t, series.Options{
		Scrape: scrapes(t, "postgres-main", backend),
		Rules:  []string{"testdata/guides/cot-studio.alert_rules.yml"},
		Known: func() series.Known {
			return series.Known{Metrics: []string{"node_cpu_seconds_total", "node_memory_MemFree_bytes"}}
		},
	})
	loaded := s.Lints()
	want := []string{"6:15 cpu_usage_percent", "15:15 memory_usage_percent", `24:23 up{job="postgres"}`, "33:45 http_request_duration_seconds_bucket"}
	if got := told(loaded, false); !slices.Equal(got, want) {
		t.Errorf("at load: %q, want %q", got, want)
	}
	if err := s.Append(t.Context(), "t", time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	until(t, "compared with what was scraped", func() bool { return len(told(s.Lints(), true)) == 4 })
	near := map[string]string{"memory_usage_percent": "system_memory_usage_percent", `up{job="postgres"}`: `up{job="postgres-main"}`,
		"http_request_duration_seconds_bucket": "http_requests_duration_seconds_bucket"}
	for _, l := range s.Lints() {
		if w, ok := near[l.What]; ok && l.Nearest != w {
			t.Errorf("nearest of %s is %s, want %s", l.What, l.Nearest, w)
		}
	}
	until(t, "every rule was evaluated", func() bool {
		return len(s.Rules()) == 4 && !slices.ContainsFunc(s.Rules(), func(r series.Rule) bool { return r.Health != "ok" })
	})
}

func told(all []series.Lint, seen bool) (lines []string) {
	for _, l := range all {
		if l.Seen == seen {
			lines = append(lines, fmt.Sprintf("%d:%d %s", l.Line, l.Column, l.What))
		}
	}
	return lines
}

func TestAlternativesAndAbsenceAreNoMistake(t *testing.T) {
	rules := file(t, "rules.yml", `groups:
  - name: g
    rules:
      - {alert: a, expr: 'absent(nothing) or absent_over_time(nothing[5m])'}
      - {alert: b, expr: 'up == 0 or old_name == 0'}
      - {alert: c, expr: 'up == 0 unless nothing'}
      - {record: made, expr: 'sum(up)'}
      - {alert: d, expr: 'made > 1 and ALERTS{alertstate="firing"}'}
      - alert: e
        expr: |
          up == 0
            and
          wrong == 1
`)
	s := start(t, series.Options{Rules: []string{rules}})
	if got := told(s.Lints(), false); !slices.Equal(got, []string{"13:11 wrong"}) {
		t.Errorf("got %q, want the one that is wrong", got)
	}
}

func TestAlertFiresAndEnds(t *testing.T) {
	var mu sync.Mutex
	down := true
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(backend.Close)
	s := start(t, series.Options{Labels: map[string]string{"system": "demo"}, External: "http://127.0.0.1:9470/prometheus",
		Scrape:  scrapes(t, "web", strings.TrimPrefix(backend.URL, "http://")),
		Builtin: map[string][]byte{"web": []byte(`groups: [{name: g, rules: [{alert: Down, expr: 'up == 0', annotations: {summary: "{{$labels.job}} of {{$externalLabels.system}}"}}]}]`)}})
	until(t, "the alert fires", func() bool { return len(s.heard()) > 0 })
	a := s.heard()[0]
	if a.Labels["system"] != "demo" || a.Labels["job"] != "web" || a.Annotations["summary"] != "web of demo" || !strings.HasPrefix(a.Generator, "http://127.0.0.1:9470/prometheus/graph?") {
		t.Errorf("alert is %+v", a)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	until(t, "the alert ends", func() bool {
		all := s.heard()
		return !all[len(all)-1].EndsAt.After(time.Now())
	})
}

func TestOneWrongRuleLeavesTheOthers(t *testing.T) {
	wrong := "groups:\n  - name: g\n    rules:\n      - {alert: Bad, expr: 'up =='}\n      - {alert: Good, expr: 'up == 0'}\n"
	rules := file(t, "rules.yml", wrong)
	broken := file(t, "broken.yml", "groups:\n  - name: [\n")
	opt := series.Options{Rules: []string{rules, broken, "/nowhere/rules.yml"}}
	s := start(t, opt)
	if got := names(s.Rules()); !slices.Equal(got, []string{"Good"}) {
		t.Errorf("evaluated: %q", got)
	}
	refused := s.Refused()
	if len(refused) != 3 {
		t.Fatalf("refused: %+v", refused)
	}
	i := slices.IndexFunc(refused, func(r series.Refusal) bool { return r.Rule == "Bad" })
	if r := refused[i]; r.File != rules || r.Group != "g" || r.Line != 4 || r.Column != 28 || !strings.Contains(r.Reason, "unexpected end of input") || r.Kept {
		t.Errorf("refused: %+v", r)
	}

	write(t, rules, "groups: [")
	if err := s.Reload(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if got := names(s.Rules()); !slices.Equal(got, []string{"Good"}) {
		t.Errorf("a file that is wrong as a whole: evaluated are %q, want those before", got)
	}
	write(t, rules, "groups: [{name: g, rules: [{alert: Good, expr: 'up == 0'}, {alert: Better, expr: 'up == 1'}]}]")
	if err := s.Reload(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	write(t, rules, wrong)
	if err := s.Reload(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if got := names(s.Rules()); !slices.Equal(got, []string{"Better", "Good"}) {
		t.Errorf("a file that has become wrong: evaluated are %q, want those before", got)
	}
	if !slices.ContainsFunc(s.Refused(), func(r series.Refusal) bool { return r.Rule == "Bad" && r.Kept }) {
		t.Errorf("refused: %+v", s.Refused())
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(rules []series.Rule) (all []string) {
	for _, r := range rules {
		all = append(all, r.Name)
	}
	slices.Sort(all)
	return all
}

func TestWrongDeclarationsAreRefusedWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another discovery": {"scrape_configs:\n  - job_name: a\n    consul_sd_configs: [{server: x}]\n", "3:5: targets cannot be found by consul_sd_configs here; there are: dns_sd_configs, docker_sd_configs, dockerswarm_sd_configs, file_sd_configs, http_sd_configs, static_configs"},
		"unknown key":       {"global:\n  scrape_intervall: 1s\n", "2:3: unknown key \"scrape_intervall\""},
		"same job twice":    {"scrape_configs:\n  - job_name: a1\n  - job_name: a1\n", "3:15: is refused by Prometheus: found multiple scrape configs"},
		"no YAML":           {"scrape_configs:\n  - job_name: [\n", "is refused by Prometheus: "},
		"wrong value":       {"global:\n  scrape_interval: often\n", "is refused by Prometheus: "},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, "prometheus.yml", c.text)
			_, err := series.Open(t.Context(), series.Options{Dir: t.TempDir(), Keep: time.Hour, Scrape: path})
			problems := diag.List{}
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestWrongDeclarationLeavesTheOldOne(t *testing.T) {
	path := scrapes(t, "web", target(t, "a 1\n"))
	s := start(t, series.Options{Scrape: path})
	until(t, "scraped", func() bool { _, ok := value(t, s, "a"); return ok })
	write(t, path, "scrape_configs: 1\n")
	if err := s.Reload(t.Context(), series.Options{Scrape: path, Keep: time.Hour}); err == nil {
		t.Fatal("taken")
	}
	if all := s.Targets(); len(all) != 1 || all[0].Job != "web" {
		t.Errorf("targets are %+v", all)
	}
}

// Nobody looks for targets before any is declared: those of a later declaration are found all the same.
func TestTargetsComeAndGoWithTheDeclaration(t *testing.T) {
	s := start(t, series.Options{})
	for _, want := range []int{0, 1, 0, 1} {
		opt := series.Options{}
		if want > 0 {
			opt.Scrape = scrapes(t, "web", target(t, "a 1\n"))
		}
		if err := s.Reload(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
		until(t, fmt.Sprintf("%d targets", want), func() bool { return len(s.Targets()) == want })
	}
	until(t, "scraped", func() bool { _, ok := value(t, s, "a"); return ok })
}

func metric(name string, v float64, labels ...string) *dto.MetricFamily {
	m := &dto.Metric{Gauge: &dto.Gauge{Value: proto.Float64(v)}}
	for i := 0; i < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(labels[i]), Value: proto.String(labels[i+1])})
	}
	return &dto.MetricFamily{Name: proto.String(name), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{m}}
}

func TestSeriesThatARoundNoLongerHasHasEnded(t *testing.T) {
	s := start(t, series.Options{})
	now := time.Now().Add(-10 * time.Second)
	for i, round := range [][]*dto.MetricFamily{{metric("a", 1, "x", "1"), metric("b", 2)}, {metric("b", 3)}} {
		if err := s.Append(t.Context(), "t", now.Add(time.Duration(i)*time.Second), round); err != nil {
			t.Fatal(err)
		}
	}
	if v, ok := value(t, s, "a"); ok {
		t.Errorf("a is still %v", v)
	}
	if v, _ := value(t, s, "b"); v != 3 {
		t.Errorf("b is %v", v)
	}
	all, err := s.QueryRange(t.Context(), "a", now, now.Add(2*time.Second), time.Second)
	if err != nil || len(all) != 1 || len(all[0].Points) != 1 || all[0].Labels["x"] != "1" {
		t.Errorf("a was %+v (%v)", all, err)
	}
	if err := s.Append(t.Context(), "other", time.Now(), []*dto.MetricFamily{metric("c", 4)}); err != nil {
		t.Fatal(err)
	}
	if v, _ := value(t, s, "b"); v != 3 {
		t.Errorf("another source has ended b")
	}
}

func TestHistogramsAndSummariesAreSeries(t *testing.T) {
	s := start(t, series.Options{})
	h := &dto.MetricFamily{Name: proto.String("h"), Type: dto.MetricType_HISTOGRAM.Enum(), Metric: []*dto.Metric{{Histogram: &dto.Histogram{
		SampleCount: proto.Uint64(3), SampleSum: proto.Float64(6), Bucket: []*dto.Bucket{{UpperBound: proto.Float64(1), CumulativeCount: proto.Uint64(2)}}}}}}
	q := &dto.MetricFamily{Name: proto.String("q"), Type: dto.MetricType_SUMMARY.Enum(), Metric: []*dto.Metric{{Summary: &dto.Summary{
		SampleCount: proto.Uint64(4), SampleSum: proto.Float64(8), Quantile: []*dto.Quantile{{Quantile: proto.Float64(0.5), Value: proto.Float64(2)}}}}}}
	if err := s.Append(t.Context(), "t", time.Now(), []*dto.MetricFamily{h, q}); err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]float64{`h_bucket{le="1"}`: 2, `h_bucket{le="+Inf"}`: 3, "h_sum": 6, "h_count": 3, `q{quantile="0.5"}`: 2, "q_sum": 8, "q_count": 4} {
		if got, ok := value(t, s, expr); !ok || got != want {
			t.Errorf("%s is %v, want %v", expr, got, want)
		}
	}
}

func TestHostileTargets(t *testing.T) {
	hang := make(chan struct{})
	kinds := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		line := []byte("huge{x=\"" + strings.Repeat("x", 1000) + "\"} 1\n")
		for range 100000 {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/garbage", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>\xff{{{ 1\n")) })
	mux.HandleFunc("/kind", func(w http.ResponseWriter, _ *http.Request) {
		kinds++
		fmt.Fprintf(w, "# TYPE changing %s\nchanging %d\n", []string{"counter", "gauge", "histogram"}[kinds%3], kinds)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	text := "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
	for _, path := range []string{"hang", "huge", "garbage", "kind"} {
		text += fmt.Sprintf("  - {job_name: %s, metrics_path: /%s, static_configs: [{targets: ['%s']}]}\n", path, path, strings.TrimPrefix(server.URL, "http://"))
	}
	s := start(t, series.Options{Scrape: file(t, "prometheus.yml", text)})
	want := map[string]string{"hang": "context deadline exceeded", "huge": "body size limit exceeded", "garbage": "", "kind": ""}
	until(t, "every target was asked", func() bool {
		return len(s.Targets()) == 4 && !slices.ContainsFunc(s.Targets(), func(x series.Target) bool { return x.Health == "unknown" })
	})
	for _, x := range s.Targets() {
		if up := x.Job == "kind"; (x.Health == "up") != up || !strings.Contains(x.Err, want[x.Job]) {
			t.Errorf("%s is %s: %s", x.Job, x.Health, x.Err)
		}
	}
	until(t, "the kind has changed twice", func() bool { v, _ := value(t, s, "changing"); return v >= 3 })
	if v, ok := value(t, s, "huge"); ok {
		t.Errorf("a part of what was too much is there: %v", v)
	}
}

func TestApiOfPrometheusOnlyReads(t *testing.T) {
	s := start(t, series.Options{Scrape: scrapes(t, "web", target(t, "# TYPE a counter\na{x=\"1\"} 1\n")), Builtin: map[string][]byte{
		"r": []byte(`groups: [{name: g, rules: [{alert: A, expr: 'a == 1'}]}]`)}})
	server := httptest.NewServer(s.Handler("/prometheus"))
	t.Cleanup(server.Close)
	until(t, "the alert fires", func() bool { return len(s.heard()) > 0 })
	for path, want := range map[string]string{
		"query?query=a": `"value":[`,
		"query_range?query=a&step=1&start=1000&end=1001": `"matrix"`,
		"series?match[]=a":   `"job":"web"`,
		"labels":             `"x"`,
		"label/job/values":   `["web"]`,
		"targets":            `"health":"up"`,
		"rules":              `"alertname"`,
		"alerts":             `"state":"firing"`,
		"metadata":           `"type":"counter"`,
		"status/buildinfo":   `"version"`,
		"status/config":      `scrape_interval: 1s`,
		"status/flags":       `"success"`,
		"status/runtimeinfo": `"storageRetention"`,
		"status/tsdb":        `"numSeries"`,
		"alertmanagers":      `"activeAlertmanagers":[]`,
	} {
		if code, body := get(t, server.URL+"/prometheus/api/v1/"+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.300s", path, code, body)
		}
	}
	for _, path := range []string{"write", "admin/tsdb/delete_series?match[]=a", "admin/tsdb/snapshot", "admin/tsdb/clean_tombstones", "otlp/v1/metrics"} {
		r, err := http.Post(server.URL+"/prometheus/api/v1/"+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode < 400 {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestAlertmanagersAndRemoteWriteOfTheDeclaration(t *testing.T) {
	got := make(chan string, 100)
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case got <- r.URL.Path:
		default:
		}
	}))
	t.Cleanup(sink.Close)
	host := strings.TrimPrefix(sink.URL, "http://")
	text := fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules/*.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}
remote_write: [{url: 'http://%s/remote'}]
scrape_configs: [{job_name: web, static_configs: [{targets: ['%s']}]}]
`, host, host, target(t, "a 1\n"))
	path := file(t, "prometheus.yml", text)
	if err := os.Mkdir(filepath.Join(filepath.Dir(path), "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(filepath.Dir(path), "rules", "a.yml"), "groups: [{name: g, rules: [{alert: A, expr: 'a == 1'}]}]")
	start(t, series.Options{Scrape: path})
	paths := map[string]bool{}
	until(t, "alerts and samples have arrived", func() bool {
		select {
		case p := <-got:
			paths[p] = true
		default:
		}
		return paths["/api/v2/alerts"] && paths["/remote"]
	})
}

func TestSecretsLieInFiles(t *testing.T) {
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		select {
		case asked <- password:
		default:
		}
	}))
	t.Cleanup(server.Close)
	path := file(t, "prometheus.yml", fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [{job_name: a, basic_auth: {username: u, password_file: pw}, static_configs: [{targets: ['%s']}]}]\n",
		strings.TrimPrefix(server.URL, "http://")))
	write(t, filepath.Join(filepath.Dir(path), "pw"), "s3cret\n")
	start(t, series.Options{Scrape: path})
	if got := <-asked; got != "s3cret" {
		t.Errorf("asked with %q", got)
	}
}

// free gives a port that nothing listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTargetThatIsDownIsShown(t *testing.T) {
	s := start(t, series.Options{Scrape: scrapes(t, "gone", free(t))})
	until(t, "the target is down", func() bool { all := s.Targets(); return len(all) == 1 && all[0].Health == "down" })
	if x := s.Targets()[0]; !strings.Contains(x.Err, "connection refused") || x.Scraped.IsZero() {
		t.Errorf("target is %+v", x)
	}
}
