package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"upkeep/internal/command"
	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/monitor/alerts"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// alerting takes alerts from rules and findings to whoever must know.
type alerting struct {
	process *Process
	to      *alerts.Alertmanager
	taken   chan []alerts.Alert

	mu   sync.Mutex
	said recorded
}

// recorded is what the state says of the way of alerts.
type recorded struct {
	at       time.Time
	findings []service.Finding
}

// waiting bounds the batches of alerts that rules have given and Alertmanager has not
// taken yet. Rules give each alert again within minutes: one that finds no room is late,
// not lost.
const waiting = 1000

func newAlerting(ctx context.Context, p *Process) (part, []route, error) {
	app, done := p.App()
	defer done()
	a := &alerting{process: p, taken: make(chan []alerts.Alert, waiting)}
	source, err := alertSource(ctx, app)
	if err != nil {
		return nil, nil, err
	}
	a.to, err = alerts.Open(ctx, alerts.Options{Source: source, Dir: filepath.Join(app.StateDir(), "alerts"), System: app.Config.System,
		ExternalURL: "http://" + app.Config.Listen, Log: p.Log(), Now: p.Now, Passage: a.passed})
	if err != nil {
		return nil, nil, fmt.Errorf("alerts: %w", err)
	}
	p.alerting = a
	p.looker.tell(a.checked)
	return a, []route{{"/alertmanager/", a.to.Handler("/alertmanager")}, {"GET /api/alerting", http.HandlerFunc(a.show)}}, nil
}

// alertSource is where alerts go by the declaration, with passwords.
func alertSource(ctx context.Context, app *control.App) (alerts.Source, error) {
	source := alerts.Source{File: app.Config.Monitor.Alertmanager, Language: app.Words().Lang()}
	secrets := secret.Resolver{Base: app.Config.Base, Run: (&command.Runner{Paths: app.Config.Tools}).Output}
	reveal := func(path string, ref secret.Ref) (string, error) {
		if ref.IsZero() {
			return "", nil
		}
		value, err := secrets.Resolve(ctx, ref)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return value, nil
	}
	var err error
	if source.Notify.Webhook, err = reveal("notify.webhook", app.Config.Notify.Webhook); err != nil {
		return source, err
	}
	if e := app.Config.Notify.Email; e != nil {
		source.Notify.Email = mailOf(*e)
		source.Notify.Email.Password, err = reveal("notify.email.password", e.Password)
	}
	return source, err
}

func mailOf(e config.Email) *alerts.Email {
	return &alerts.Email{To: e.To, From: e.From, SMTP: e.SMTP, User: e.User, TLS: e.TLS}
}

func (*alerting) Name() string { return "alerts" }

func (a *alerting) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { a.forward(ctx) })
	all.Go(func() { every(ctx, func() time.Duration { return 15 * time.Second }, a.record) })
	err := a.to.Run(ctx)
	all.Wait()
	return err
}

// Reload takes another file or other receivers. A file that is refused leaves the old one
// in force.
func (a *alerting) Reload(ctx context.Context, app *control.App) error {
	source, err := alertSource(ctx, app)
	if err != nil {
		return err
	}
	return a.to.Reload(source)
}

// take accepts alerts from rules. It does not wait: rules are judged meanwhile.
func (a *alerting) take(batch ...alerts.Alert) {
	select {
	case a.taken <- batch:
	default:
		a.process.Log().Error("alerts come faster than they are taken", "late", len(batch))
	}
}

func (a *alerting) forward(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case batch := <-a.taken:
			if err := a.to.Send(ctx, batch); err != nil {
				a.process.Log().Error("alerts not taken", "error", err)
			}
		}
	}
}

// checked makes alerts of what a check found: each finding is one for as long as it is
// found.
func (a *alerting) checked(ctx context.Context, run journal.Run) {
	app, done := a.process.App()
	defer done()
	until := a.process.Now().Add(max(5*time.Minute, 3*app.Config.Monitor.Check.Std())) // a check may take long, or fail
	if err := a.to.Hold(ctx, "findings", FindingAlerts(app, run, until)); err != nil {
		a.process.Log().Error("findings not made alerts", "error", err)
	}
}

// FindingAlerts are the alerts that a check stands for: one per finding that counts and
// is a warning or worse, one per target that could not be judged. Their labels do not
// change while the finding lasts.
func FindingAlerts(app *control.App, run journal.Run, until time.Time) (all []alerts.Alert) {
	words := app.Words()
	for _, t := range run.Targets {
		for _, f := range t.Findings {
			if f.Waived != "" || f.ID == alerts.FailingID || !slices.Contains([]service.Severity{service.Warning, service.Critical}, f.Severity) {
				continue // a receiver that fails is told of through another, by alerts itself
			}
			title, fix := words.Finding(f.ID, f.Words(t.Target))
			all = append(all, alertOf(run.System, t, f.ID, f.Subject, string(f.Severity), title, fix, f.Since, until))
		}
		if t.Error != nil {
			title, consequence, fix := words.Error(t.Error.ID, t.Error.Words(t.Target, ""))
			all = append(all, alertOf(run.System, t, t.Error.ID, "", "warning", t.Target+": "+title, consequence+"\n"+fix, run.Started, until))
		}
	}
	return all
}

func alertOf(system string, t journal.Target, id, subject, severity, title, fix string, since, until time.Time) alerts.Alert {
	one := alerts.Alert{StartsAt: since, EndsAt: until,
		Labels:      map[string]string{"alertname": id, "system": system, "target": t.Target, "subject": subject, "severity": severity},
		Annotations: map[string]string{"summary": title, "description": fix}}
	if t.Error == nil || t.Error.ID != id {
		one.Annotations["runbook"] = "docs/runbooks/" + id + ".md"
	}
	return one
}

// passed keeps how a canary fared.
func (a *alerting) passed(ctx context.Context, p alerts.Passage) {
	app, done := a.process.App()
	defer done()
	j, err := app.Journal(ctx)
	if err == nil {
		err = j.Note(context.WithoutCancel(ctx), app.Config.System, "canary", p)
	}
	if err != nil {
		a.process.Log().Error("canary not recorded", "error", err)
	}
}

// record keeps what is found of the way of alerts for every check: at once when it
// changed, else once a minute.
func (a *alerting) record(ctx context.Context) {
	found, now := a.to.Verdict(), a.process.Now()
	a.mu.Lock()
	same := sameFindings(found.Findings, a.said.findings) && now.Sub(a.said.at) < time.Minute
	a.mu.Unlock()
	if same {
		return
	}
	app, done := a.process.App()
	defer done()
	if err := app.RecordAlerting(ctx, found); err != nil {
		if ctx.Err() == nil {
			a.process.Log().Error("state of alerts not kept", "error", err)
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said = recorded{now, found.Findings}
}

// sameFindings compares what is found, not how long it has been.
func sameFindings(a, b []service.Finding) bool {
	key := func(f service.Finding) [3]string {
		return [3]string{f.ID, f.Subject, fmt.Sprint(f.Args["error"], f.Args["silences"])}
	}
	keys := func(all []service.Finding) (k [][3]string) {
		for _, f := range all {
			k = append(k, key(f))
		}
		return k
	}
	return reflect.DeepEqual(keys(a), keys(b))
}

// alertingView is the stable JSON of /api/alerting.
type alertingView struct {
	Active     []alerts.Active   `json:"active"`
	Silences   []alerts.Silence  `json:"silences"`
	Deliveries []alerts.Delivery `json:"deliveries"`
	Canary     alerts.Passage    `json:"canary"`
	Through    time.Time         `json:"canary_through"` // when one last came through; before the first, when the process began
	Findings   []service.Finding `json:"findings"`
}

// Alerting is how alerts stand, for the page.
func (p *Process) Alerting() *alerts.Alertmanager { return p.alerting.to }

func (a *alerting) show(w http.ResponseWriter, r *http.Request) {
	v := alertingView{Active: a.to.Active(r.Context()), Deliveries: a.to.Deliveries(), Findings: append([]service.Finding{}, a.to.Verdict().Findings...)}
	v.Canary, v.Through, _ = a.to.LastCanary()
	var err error
	if v.Silences, err = a.to.Silences(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked has gone
}
