package serve

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"upkeep/internal/control"
	"upkeep/internal/monitor/anomalies"
	"upkeep/internal/service"
)

// unusual watches the series that monitor.anomalies declares, a minute at a time. What
// is unusual is a finding of every check.
type unusual struct {
	process *Process
	watcher *anomalies.Watcher
}

// newUnusual asks the samples: it comes after them in the list.
func newUnusual(ctx context.Context, p *Process) (part, []route, error) {
	app, done := p.App()
	defer done()
	u := &unusual{process: p, watcher: anomalies.Open(filepath.Join(app.StateDir(), "anomalies.gob"), p.values, p.Log())}
	return u, []route{{"GET /api/v1/anomalies", answering(u.list)}}, u.Reload(ctx, app)
}

// values asks the samples that are kept.
func (p *Process) values(ctx context.Context, expr string, from, to time.Time, step time.Duration,
	give func(labels map[string]string, at time.Time, value float64)) error {
	all, err := p.Series().QueryRange(ctx, expr, from, to, step)
	for _, s := range all {
		for _, point := range s.Points {
			give(s.Labels, point.At, point.Value)
		}
	}
	return err
}

func (*unusual) Name() string { return "anomalies" }

// Run saves what was learnt when it ends.
func (u *unusual) Run(ctx context.Context) error {
	every(ctx, func() time.Duration { return time.Minute }, u.round)
	return u.watcher.Save(u.process.Now())
}

func (u *unusual) round(ctx context.Context) {
	now := u.process.Now()
	u.watcher.Round(ctx, now)
	if err := u.watcher.SaveDue(now); err != nil {
		u.process.Log().Error("what was learnt of the watched series not saved", "error", err)
	}
}

// Reload takes the expressions; those that stay go on with what they have learnt.
func (u *unusual) Reload(_ context.Context, app *control.App) error {
	var declared []anomalies.Declared
	for _, a := range app.Config.Monitor.Anomalies {
		declared = append(declared, anomalies.Declared{Name: a.Name, Expr: a.Expr, FalseAlarms: float64(a.FalseAlarms)})
	}
	u.watcher.Declare(declared, app.Zone(), app.Config.Monitor.Keep.Std())
	return nil
}

func (u *unusual) list(*http.Request) (any, error) {
	return map[string]any{"series": u.watcher.Series(), "failed": u.watcher.Failed()}, nil
}

// mostTold bounds the series that a check lists.
const mostTold = 50

// judge makes findings of what is unusual now, and of what is not watched.
func (u *unusual) judge() (v service.Verdict) {
	for _, name := range slices.Sorted(maps.Keys(u.watcher.Failed())) {
		v.Warn("upkeep.anomaly-unwatched", name, service.Args{"name": name, "error": u.watcher.Failed()[name]})
	}
	for _, s := range u.watcher.Unusual(u.process.Now(), mostTold) {
		v.Warn("upkeep.anomaly", s.Name+s.Series, service.Args{"name": s.Name, "series": s.Series, "value": digits(s.Value),
			"low": digits(s.Low), "high": digits(s.High), "began": s.Since.Format("2006-01-02 15:04 -07:00")})
	}
	return v
}

// digits are as many as a person compares.
func digits(v float64) string { return fmt.Sprintf("%.4g", v) }
