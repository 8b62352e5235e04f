package control

import (
	"context"
	"path/filepath"
	"regexp"
	"time"

	"upkeep/internal/capability/logs"
	"upkeep/internal/engine"
	"upkeep/internal/logs/record"
	"upkeep/internal/logs/trend"
	"upkeep/internal/service"
)

// logsOp collects what was logged since the last time.
func (a *App) logsOp(_ context.Context, _ string, req Request) (operation, error) {
	targets, err := a.offering("logs", req.Targets)
	if err != nil {
		return operation{}, err
	}
	keep := a.Config.Logs.Keep
	c := logs.Collect{Targets: targets, Dir: a.logDir(), Now: a.opt.Now, Accepted: a.noise,
		Keep: logs.Keep{Age: keep.Age.Std(), Bytes: int64(keep.Size)}}
	return operation{work: engine.Work{Steps: c.Steps(), Do: c.Do, Allow: service.Harmless, Locked: true}}, nil
}

// noise is what a target may log without being told.
func (a *App) noise(target string) (all []trend.Accepted) {
	for _, w := range a.Config.Accept {
		if w.Log != "" && (w.Target == "" || w.Target == target) {
			all = append(all, trend.Accepted{Pattern: w.Log, Until: w.Until.Time, Note: w.Why})
		}
	}
	return all
}

func (a *App) logDir() string { return filepath.Join(a.stateDir, "logs", a.Config.System) }

// LogQuery is what is looked for in the logs.
type LogQuery struct {
	Targets []string // none = all that have logs
	Pattern *regexp.Regexp
	Since   time.Time    // zero = from the beginning
	Level   record.Level // the least
}

// LogHit is one record that was found.
type LogHit = logs.Hit

// SearchLogs yields what was found in collected and in live logs until yield returns
// false. Nothing is collected by it.
func (a *App) SearchLogs(ctx context.Context, q LogQuery, yield func(LogHit) bool) error {
	targets, err := a.offering("logs", q.Targets)
	if err != nil {
		return err
	}
	s := logs.Search{Targets: targets, Dir: a.logDir(), Pattern: q.Pattern, Since: q.Since, Level: q.Level, Zone: a.opt.Now().Location()}
	return s.Each(ctx, yield)
}
