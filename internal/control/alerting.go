package control

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/diag"
	"upkeep/internal/monitor/alertfile"
	"upkeep/internal/monitor/series"
	"upkeep/internal/service"
)

// Judged is what a file that the declaration names is worth.
type Judged struct {
	Path               string
	Problems, Warnings diag.List
	Corrected          string // "" when nothing is wrong, or not all could be mended
}

// JudgeFiles judges the files of other programs that the declaration names.
func (a *App) JudgeFiles() (all []Judged) {
	if path := a.Config.Monitor.Alertmanager; path != "" {
		r := alertfile.Check(path)
		all = append(all, Judged{path, r.Problems, r.Warnings, r.Corrected})
	}
	if path := a.Config.Monitor.Scrape; path != "" {
		all = append(all, Judged{Path: path, Problems: series.Check(path)})
	}
	return all
}

// JudgeRules judges the files of rules that the declaration and its prometheus.yml name.
func (a *App) JudgeRules() diag.List {
	return series.CheckRules(a.Config.Monitor.Scrape, a.Config.Monitor.Rules)
}

// Hidden is the text of such a file without the passwords in it.
func Hidden(text string) string { return alertfile.Hidden(text) }

// checkFiles makes a finding of each file that would be refused at the next start.
func (a *App) checkFiles(v *service.Verdict) {
	for _, f := range a.JudgeFiles() {
		if len(f.Problems) > 0 {
			v.Crit("upkeep.file-refused", f.Path, service.Args{"path": f.Path, "n": len(f.Problems), "first": brief(f.Problems[0])})
		}
	}
}

// brief is a problem without how it should read instead.
func brief(p diag.Problem) string {
	line, _, _ := strings.Cut(p.String(), "\n")
	return line
}

// alertingKey names what a process that serves found out about the way of alerts.
const alertingKey, alertingOwner = "alerting", "upkeep"

// alertingHolds is how long that counts after it was written: a process that serves
// writes it once a minute.
const alertingHolds = 5 * time.Minute

type alerting struct {
	At       time.Time         `json:"at"`
	Findings []service.Finding `json:"findings,omitempty"`
}

// RecordAlerting keeps what was found out about the way of alerts, for every check.
func (a *App) RecordAlerting(ctx context.Context, found service.Verdict) error {
	text, err := json.Marshal(alerting{At: a.opt.Now(), Findings: found.Findings})
	if err != nil {
		return err
	}
	return a.state(a.Config.System, alertingOwner).Set(ctx, alertingKey, string(text))
}

// checkAlerting tells what a process that serves has found out, as long as one does.
func (a *App) checkAlerting(ctx context.Context, v *service.Verdict) error {
	text, err := a.state(a.Config.System, alertingOwner).Get(ctx, alertingKey)
	if err != nil || text == "" {
		return err
	}
	var found alerting
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return errors.New("what is known of the way of alerts cannot be read")
	}
	if age := a.opt.Now().Sub(found.At); age < alertingHolds {
		v.Merge(service.Verdict{Findings: found.Findings})
	}
	return nil
}

// Words are those of the reader for whom this declaration was opened.
func (a *App) Words() catalogue.Words { return a.opt.Words }
