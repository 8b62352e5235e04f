package suite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"upkeep/bench/measure"
	"upkeep/bench/table"
	"upkeep/bench/tool"
)

// Evaluating is many rules over many series.
const Evaluating = "950 alert rules over 100,000 series, every 15 s"

// Prometheus alone is what the rules are compared with.
const Prometheus = "Prometheus"

// ManyRules gives upkeep serve and Debian's Prometheus the same series to scrape and the
// same rules to evaluate, one after the other in every round.
type ManyRules struct {
	Series, Rules int
	For           time.Duration // of each in each round, after as long again to warm up
	Scratch       string
	Rounds        int
}

// Run fills r. upkeep may be nil.
func (m ManyRules) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	source, err := m.expose(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	halves := []func(context.Context) error{func(ctx context.Context) error { return m.prometheus(ctx, source.Addr, r) }}
	if u != nil {
		halves = append(halves, func(ctx context.Context) error { return m.upkeep(ctx, source.Addr, u, r) })
	}
	for round := range m.Rounds {
		for _, half := range rotate(halves, round) {
			r.Fail(half(ctx))
		}
	}
	r.Note("rules", fmt.Sprintf("%d series of %d families, scraped every 15 s; each rule reads one family and none fires. %s each in each round, after a minute", m.Series, m.Rules, m.For))
	return ctx.Err()
}

// expose serves series that move.
func (m ManyRules) expose(ctx context.Context) (*http.Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Addr: listener.Addr().String(), ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(m.metrics)}
	go func() { _ = server.Serve(listener) }() // until it is closed
	return server, nil
}

func (m ManyRules) metrics(w http.ResponseWriter, _ *http.Request) {
	var text strings.Builder
	now := time.Now().Unix()
	for i := range m.Rules {
		fmt.Fprintf(&text, "# TYPE bench_value_%d gauge\n", i)
		for j := range m.Series / m.Rules {
			fmt.Fprintf(&text, "bench_value_%d{n=\"%d\"} %d\n", i, j, (now+int64(i*j))%1000)
		}
	}
	_, _ = w.Write([]byte(text.String())) // whoever asked has gone
}

const manyScraped = `global: {scrape_interval: 15s, evaluation_interval: 15s}
rule_files: [rules.yml]
scrape_configs: [{job_name: bench, static_configs: [{targets: [%q]}]}]
`

// prepare writes what both read.
func (m ManyRules) prepare(source string) (dir string, err error) {
	dir = filepath.Join(m.Scratch, "rules")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return "", fmt.Errorf("make room: %w", err)
	}
	rules := "groups:\n"
	for i := range m.Rules {
		if i%50 == 0 {
			rules += fmt.Sprintf("  - name: group%d\n    rules:\n", i/50)
		}
		rules += fmt.Sprintf("      - {alert: Bench%d, expr: 'avg_over_time(bench_value_%d[2m]) > 2000', for: 1m, labels: {severity: warning}}\n", i, i)
	}
	return dir, errors.Join(os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(rules), 0o600),
		os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, manyScraped, source), 0o600))
}

func (m ManyRules) prometheus(ctx context.Context, source string, r *Result) error {
	dir, err := m.prepare(source)
	if err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	at := "127.0.0.1:" + strconv.Itoa(ports[0])
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	b, err := startInBackground(ctx, dir, "http://"+at+"/-/ready", env, "prometheus", "--web.listen-address="+at, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb")
	if err != nil {
		return err
	}
	return errors.Join(m.watch(ctx, r, Prometheus, b), b.stop())
}

func (m ManyRules) upkeep(ctx context.Context, source string, u *tool.Upkeep, r *Result) error {
	dir, err := m.prepare(source)
	if err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	at := "127.0.0.1:" + strconv.Itoa(ports[0])
	text := fmt.Sprintf("system: bench\nstate: state\nlisten: %s\nservices: {here: {kind: files, paths: [rules.yml]}}\nmonitor: {scrape: prometheus.yml, builtin: false}\n", at)
	if err := os.WriteFile(filepath.Join(dir, "upkeep.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	u.Adopt(dir)
	argv, env := u.Command("serve")
	b, err := startInBackground(ctx, dir, "http://"+at+"/-/healthy", env, argv...)
	if err != nil {
		return err
	}
	return errors.Join(m.watch(ctx, r, u.Name(), b), b.stop())
}

// watch lets the rules have something to read first.
func (m ManyRules) watch(ctx context.Context, r *Result, name string, b *background) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Minute):
	}
	timed, cancel := context.WithTimeout(ctx, m.For)
	defer cancel()
	watched, err := measure.Watch(timed, lookEvery, measure.Group{Name: name, PIDs: []int{b.pid()}})
	if err != nil {
		return err
	}
	w := watched[0]
	return r.cost(Evaluating, name, measure.Cost{Wall: w.For, CPU: w.CPU, Peak: w.Median()}, nil)
}

// aroundRows are what goes on; a minute's processor time says more than that of a run.
func (r *Result) aroundRows(tools []string) []table.Row {
	family := []table.Limit{{Peer: Family, Factor: 1}}
	return []table.Row{
		r.costRow(tools, AroundTheClock, "resident, median", table.Memory, []table.Limit{{Peer: Family, Factor: 0.7}}, func(c measure.Cost) float64 { return float64(c.Peak) }),
		r.costRow(tools, AroundTheClock, "processor time per minute", table.Seconds, family, perMinute),
		r.time(tools, PageReady, []table.Limit{{Factor: 0.5}}),
	}
}

func (r *Result) ruleRows(tools []string) []table.Row {
	return []table.Row{
		r.costRow(tools, Evaluating, "processor time per minute", table.Seconds, []table.Limit{{Peer: Prometheus, Factor: 1.2}}, perMinute),
		r.costRow(tools, Evaluating, "resident, median", table.Memory, nil, func(c measure.Cost) float64 { return float64(c.Peak) }),
	}
}

func perMinute(c measure.Cost) float64 { return c.CPU.Seconds() / c.Wall.Minutes() }
