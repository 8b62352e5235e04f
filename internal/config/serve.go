package config

import (
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
)

// Monitor is what upkeep serve collects, keeps and judges. Paths are absolute.
type Monitor struct {
	Scrape       string            `yaml:"scrape"`       // a prometheus.yml, loaded as it is
	Rules        []string          `yaml:"rules"`        // files of alert rules, loaded as they are
	Alertmanager string            `yaml:"alertmanager"` // an alertmanager.yml, obeyed; empty = alerts go where notify: says
	Every        quantity.Duration `yaml:"every"`        // between two rounds of samples of the declared services
	Check        quantity.Duration `yaml:"check"`        // between two checks of them, recorded where something changed
	Keep         quantity.Duration `yaml:"keep"`         // samples
	Size         quantity.Bytes    `yaml:"size"`         // of kept samples; beyond it the oldest go; 0 = no bound
	Builtin      bool              `yaml:"builtin"`      // the rules that come with the kinds
	Anomalies    []Anomaly         `yaml:"anomalies"`
}

// Anomaly has a series watched for values that its own past makes unlikely.
type Anomaly struct {
	Name        string             `yaml:"name"`
	Expr        string             `yaml:"expr"`         // PromQL; each series that it gives has a baseline of its own
	FalseAlarms quantity.Frequency `yaml:"false_alarms"` // per series, that are put up with: 1/w
}

// Notify is where reports go, and alerts where no alertmanager.yml is given.
type Notify struct {
	Email   *Email     `yaml:"email"`
	Webhook secret.Ref `yaml:"webhook"` // the address: often it is the secret itself
	Ping    secret.Ref `yaml:"ping"`    // is called as long as serve lives
	Sentry  secret.Ref `yaml:"sentry"`  // a DSN: failed runs are sent there as error events
}

// Email is how mail is sent.
type Email struct {
	To       []string   `yaml:"to"`
	From     string     `yaml:"from"`
	SMTP     string     `yaml:"smtp"` // smtp://HOST:25, or smtps://HOST:465 for TLS from the first byte
	User     string     `yaml:"user"`
	Password secret.Ref `yaml:"password"`
	TLS      string     `yaml:"tls"`     // STARTTLS: required, offered (taken where the server has it) or none
	Reports  []string   `yaml:"reports"` // spans of reports that are mailed when a job has written one: day, week, month
}

// Window is a time in which disruptive work may begin.
type Window struct {
	At      calendar.Spec     `yaml:"at"`
	For     quantity.Duration `yaml:"for"`
	Targets []string          `yaml:"targets"` // whose work waits for it; none = every target's
	Mute    bool              `yaml:"mute"`    // alerts of its targets while it is open
}

// Ping is something that upkeep does not run and that calls when it has run.
type Ping struct {
	At    calendar.Spec     `yaml:"at"`    // when it is due
	Grace quantity.Duration `yaml:"grace"` // how much later it may call
	Key   secret.Ref        `yaml:"key"`   // in its address, which nobody else should call
}

// Checklist is work that somebody must have seen done once per span.
type Checklist struct {
	Every string `yaml:"every"` // day, week, month or quarter
	Items []Item `yaml:"items"`
}

// Item is ticked by a run that ended well, or signed by a person.
type Item struct {
	Name   string `yaml:"name"`
	By     string `yaml:"by"`     // the verb whose run ticks it; empty = a person signs it
	Target string `yaml:"target"` // only a run that told of this one
	Exits  []int  `yaml:"exits"`  // codes with which it has ended well: 0 alone, where none are given
}

// Retry has a job that failed run again.
type Retry struct {
	Times int               `yaml:"times"`
	Wait  quantity.Duration `yaml:"wait"` // before the first; each later one waits twice as long
}

// Defaults are those of a monitor: that says nothing.
func (m *Monitor) Defaults() {
	m.Every, m.Check = quantity.Duration(15*time.Second), quantity.Duration(time.Minute)
	m.Keep, m.Builtin = quantity.Duration(30*24*time.Hour), true
}

// Defaults are those of an email: that says nothing.
func (e *Email) Defaults() { e.TLS, e.Reports = "offered", []string{"day", "week", "month"} }

// Defaults are those of a watched series that says nothing.
func (a *Anomaly) Defaults() { a.FalseAlarms = quantity.Frequency(1 / (7 * 24 * time.Hour).Seconds()) }

// Defaults are those of a window that says nothing.
func (w *Window) Defaults() { w.Mute = true }

// Defaults are those of a ping that says nothing.
func (p *Ping) Defaults() { p.Grace = quantity.Duration(time.Hour) }
