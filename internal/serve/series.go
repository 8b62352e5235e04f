package serve

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/control"
	"upkeep/internal/monitor/series"
	"upkeep/internal/service"
)

// seriesDir is where samples lie in the state directory.
const seriesDir = "samples"

// keeper keeps samples, scrapes what prometheus.yml names and judges rules.
type keeper struct {
	*series.Store
	process *Process
}

func newKeeper(ctx context.Context, p *Process) (_ part, _ []route, err error) {
	app, done := p.App()
	defer done()
	k := &keeper{process: p}
	if k.Store, err = series.Open(ctx, k.options(app)); err != nil {
		return nil, nil, err
	}
	p.keeper = k
	p.collector.tell(k.keep)
	return k, []route{{"/prometheus/", k.Handler("/prometheus")}, {"GET /prometheus/-/ready", http.HandlerFunc(ready)}}, nil
}

func (k *keeper) options(app *control.App) series.Options {
	m := app.Config.Monitor
	return series.Options{
		Dir: filepath.Join(app.StateDir(), seriesDir), Keep: m.Keep.Std(), Size: int64(m.Size), Every: m.Every.Std(),
		Scrape: m.Scrape, Rules: m.Rules, Labels: map[string]string{"system": app.Config.System},
		External: "http://" + app.Config.Listen + "/prometheus", Known: func() series.Known { return known(app) }, Builtin: builtin(app),
		Notify: k.alert, Log: k.process.Log(),
	}
}

// builtin are the rules that come with the declared kinds and with upkeep itself.
func builtin(app *control.App) map[string][]byte {
	files := map[string][]byte{}
	if !app.Config.Monitor.Builtin {
		return files
	}
	for _, t := range app.Inventory.Targets() {
		if rules := t.Kind.Rules(); len(rules) > 0 {
			files[t.Kind.Name()] = rules
		}
	}
	files["upkeep"] = control.SelfRules()
	return files
}

// known is what rules may be written about before there is a sample of it.
func known(app *control.App) (all series.Known) {
	add := func(metrics []service.Metric) {
		for _, m := range metrics {
			all.Metrics = append(all.Metrics, m.Name)
			switch m.Type {
			case "histogram":
				all.Metrics = append(all.Metrics, m.Name+"_bucket", m.Name+"_sum", m.Name+"_count")
			case "summary":
				all.Metrics = append(all.Metrics, m.Name+"_sum", m.Name+"_count")
			}
		}
	}
	for _, t := range app.Inventory.Targets() {
		add(t.Metrics())
		all.Jobs = append(all.Jobs, t.Kind.Name())
	}
	add(control.SelfMetrics())
	return all
}

// ready answers programs that ask whether Prometheus is: this one is from its beginning.
func ready(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func (*keeper) Name() string { return "series" }

// Reload takes what is scraped, judged and kept.
func (k *keeper) Reload(ctx context.Context, app *control.App) error {
	return k.Store.Reload(ctx, k.options(app))
}

// alert hands on what fires or has ended.
func (k *keeper) alert(fired ...series.Alert) {
	app, done := k.process.App()
	defer done()
	k.process.alerting.take(ruled(app.Words().Lang(), fired)...)
}

// keep writes one round of the collectors.
func (k *keeper) keep(ctx context.Context, at time.Time, families []*dto.MetricFamily) {
	if err := k.Append(ctx, "collect", at, families); err != nil {
		k.process.Log().Error("samples not kept", "error", err)
	}
}

// Series is where the page and others read samples, targets and rules.
func (p *Process) Series() *series.Store { return p.keeper.Store }

// judge says what is wrong with the samples: findings of upkeep itself.
func (k *keeper) judge() (v service.Verdict) {
	for _, loss := range k.Loss() {
		k.lost(&v, loss)
	}
	for _, t := range k.Targets() {
		if t.Health == "down" {
			v.Warn("upkeep.target-not-scraped", t.Job+" "+t.URL, service.Args{"job": t.Job, "url": t.URL, "error": t.Err})
		}
	}
	for _, r := range k.Refused() {
		v.Warn("upkeep.rule-refused", r.File+" "+r.Group+" "+r.Rule, service.Args{"rule": r.Rule, "file": r.File, "line": r.Line, "reason": r.Reason, "kept": r.Kept})
	}
	for _, l := range k.Lints() {
		if worthSaying(l) {
			v.Warn("upkeep.rule-blind", l.Rule+" "+l.What, service.Args{"rule": l.Rule, "file": l.File, "line": l.Line, "column": l.Column,
				"what": l.What, "nearest": l.Nearest, "seen": l.Seen, "address": k.process.opt.Config.Listen})
		}
	}
	for _, r := range k.Rules() {
		if r.Health == "err" {
			v.Warn("upkeep.rule-failing", r.File+" "+r.Name, service.Args{"rule": r.Name, "file": r.File, "error": r.Err, "address": k.process.opt.Config.Listen})
		}
	}
	return v
}

func (k *keeper) lost(v *service.Verdict, l series.Loss) {
	args := service.Args{"since": l.Since, "path": l.Path, "error": l.Why}
	if !l.To.IsZero() {
		args["to"] = l.To
	}
	switch {
	case l.What != series.DiskRefuses:
		v.Warn("upkeep.samples-damaged", l.Path, args)
	case l.Until.IsZero():
		v.Crit("upkeep.samples-in-memory", "", args)
	}
}

// worthSaying leaves out values that may come yet, such as a status that was not seen so
// far: only what names a thing is missed.
func worthSaying(l series.Lint) bool {
	return l.Missing != series.NoValue || l.Names
}
