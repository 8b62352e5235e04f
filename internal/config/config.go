// Package config turns upkeep.yaml into values. It knows the form of a
// declaration and reports every problem in it at once, with its position; it
// opens nothing, resolves no secret and decides nothing at run time.
package config

import (
	"path/filepath"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// Config is one declared system. Paths in State, Repository, Scratch and Tools
// are absolute; those inside a service's own configuration start from Base.
type Config struct {
	File       string // as it was named
	Base       string // absolute directory of File
	System     string
	Language   string    // "en", "zh" or empty
	Services   []Service // in the order of the file
	Repository Repository
	State      string // empty when not declared
	Scratch    Scratch
	Tools      []string // directories with client programs
	Keep       *Keep    // nil keeps everything
	Reconcile  []Rule
	Assertions []Assertion
	Accept     []Acceptance
	Logs       Logs
	Jobs       map[string]Job
	Queues     map[string]Queue
	Monitor    Monitor
	Notify     Notify
	Listen     string // HOST:PORT of the page, on this machine only
	TimeZone   string // of all times of day, an IANA name; empty = the machine's
	Windows    map[string]Window
	Pings      map[string]Ping
	Checklists map[string]Checklist
	Digest     string            // SHA-256 of the file, hex
	Files      map[string][]byte // what a restore point stores of the declaration, by file name

	lines map[string]int // of every key in the file, by path
}

// Service is one declared target.
type Service struct {
	Name   string
	Title  string // for people; empty = Name
	Kind   service.Kind
	Config any            // made by Kind.NewConfig
	After  []string       // names of other services
	Limit  quantity.Bytes // per second; 0 = none
	RunsIn service.Place
	Line   int
}

// Stops says whether a copy of it stops the service.
func (s Service) Stops() service.Stops {
	if declared, ok := s.Config.(interface{ Stops() service.Stops }); ok {
		return declared.Stops()
	}
	return service.Stops{}
}

// Reach is what it needs of the machine.
func (s Service) Reach() service.Reach {
	if declared, ok := s.Config.(interface{ Reach() service.Reach }); ok {
		return declared.Reach()
	}
	return service.Reach{}
}

// Repository is where copies lie. Without a path they lie below the state
// directory, with a password made there.
type Repository struct {
	Path     string     `yaml:"path"`
	Password secret.Ref `yaml:"password"`
}

// Scratch is where drills and restores work.
type Scratch struct {
	Dir string `yaml:"dir"`
}

// Keep says how many restore points stay, counted per target.
type Keep struct {
	Last             int               `yaml:"last"`
	Hourly           int               `yaml:"hourly"`
	Daily            int               `yaml:"daily"`
	Weekly           int               `yaml:"weekly"`
	Monthly          int               `yaml:"monthly"`
	Yearly           int               `yaml:"yearly"`
	NeverBelowProven int               `yaml:"never_below_proven"`
	Undo             quantity.Duration `yaml:"undo"` // what a restore saved beforehand
}

// Assertion is what the data must always satisfy.
type Assertion struct {
	Name     string           `yaml:"name"`
	Target   string           `yaml:"target"`
	Query    string           `yaml:"query"`
	Expect   Expect           `yaml:"expect"`
	Severity service.Severity `yaml:"severity"` // warning or critical
	Fix      string           `yaml:"fix"`
	In       []string         `yaml:"in"` // check, drill, restore
}

// Rule is what two stores must say alike: each row claims an object or a node, and
// nothing is there that no row claims.
type Rule struct {
	Name     string           `yaml:"name"`
	Rows     Asked            `yaml:"rows"`     // the claims; a column called size is compared with that of the object
	Objects  Held             `yaml:"objects"`  // either these
	Nodes    Asked            `yaml:"nodes"`    // or these; the first column is compared with the first of rows
	Severity service.Severity `yaml:"severity"` // of a claim that does not hold: warning or critical
}

// Asked is a list that a query gives.
type Asked struct {
	Target string `yaml:"target"`
	Query  string `yaml:"query"`
}

// Held is a list of what a target holds by the million.
type Held struct {
	Target string `yaml:"target"`
	Key    string `yaml:"key"`    // "{file_path}": how a row names the object, by columns
	Prefix string `yaml:"prefix"` // only objects below it; empty = all
}

// Things is the target of what rows claim.
func (r Rule) Things() string {
	if r.Objects.Target != "" {
		return r.Objects.Target
	}
	return r.Nodes.Target
}

// Acceptance waives one finding for some time, or one form of log messages, which is
// then neither new nor exploding.
type Acceptance struct {
	Finding string `yaml:"finding"` // KIND.slug; either this
	Log     string `yaml:"log"`     // or the form as upkeep logs shows it: "disk <*> full", or one such message
	Target  string `yaml:"target"`  // empty = every target
	Until   Date   `yaml:"until"`
	Why     string `yaml:"why"`
}

// What names what is accepted.
func (a Acceptance) What() string {
	if a.Log != "" {
		return a.Log
	}
	return a.Finding
}

// Logs is how collected logs are kept.
type Logs struct {
	Keep LogKeep `yaml:"keep"`
}

// LogKeep says which days of collected logs stay. Nothing keeps all.
type LogKeep struct {
	Age  quantity.Duration `yaml:"age"`  // since the end of the day
	Size quantity.Bytes    `yaml:"size"` // of the archive of one target; beyond it the oldest days go
}

// Job is a scheduled list of verbs.
type Job struct {
	At      calendar.Spec     `yaml:"at"`     // the zero value: only when asked for
	Do      []string          `yaml:"do"`     // verbs with their flags: "report --month"
	After   []string          `yaml:"after"`  // jobs that must have ended well since its last turn; without At they start it
	Jitter  quantity.Duration `yaml:"jitter"` // at most so much later than At, the same for every turn of a machine
	Missed  string            `yaml:"missed"` // of turns that passed while nothing ran: once, all or none
	Retry   Retry             `yaml:"retry"`
	Ping    secret.Ref        `yaml:"ping"`    // is called when it starts, ends well or fails
	Window  quantity.Duration `yaml:"window"`  // how long after At disruptive steps may begin; 0 = always
	Approve []string          `yaml:"approve"` // KIND.op of steps that need no person
	Queue   string            `yaml:"queue"`   // in which it waits for its turn; empty = it begins at once
	// Priority decides among those that wait: the higher goes first, equal ones in the
	// order in which they came.
	Priority int `yaml:"priority"`
	Line     int `yaml:"-"`
}

// Queue bounds the jobs that run at once on this machine.
type Queue struct {
	Concurrency int               `yaml:"concurrency"`
	Wait        quantity.Duration `yaml:"wait"` // for a job's turn, then it is refused; 0 = as long as it takes
}

// undoFor is how long what a restore saved is kept when nothing is declared.
const undoFor = quantity.Duration(7 * 24 * time.Hour)

// Defaults are those of a keep: that says nothing.
func (k *Keep) Defaults() { k.NeverBelowProven, k.Undo = 1, undoFor }

// Defaults are those of an assertion that says nothing.
func (a *Assertion) Defaults() { a.Severity, a.In = service.Critical, []string{"check"} }

// Defaults are those of a rule that says nothing.
func (r *Rule) Defaults() { r.Severity = service.Critical }

// Defaults are those of a job that says nothing.
func (j *Job) Defaults() { j.Missed = "once" }

// Defaults are those of a queue that says nothing.
func (q *Queue) Defaults() { q.Concurrency = 1 }

// UndoFor is how long what a restore saved beforehand is kept.
func (c *Config) UndoFor() quantity.Duration {
	if c.Keep == nil {
		return undoFor
	}
	return c.Keep.Undo
}

// Resolve makes a path of the declaration absolute.
func (c *Config) Resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Base, path)
}
