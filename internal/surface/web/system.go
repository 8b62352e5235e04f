package web

import (
	"context"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// System is what the page asks. Its methods are called side by side, change nothing and
// answer within milliseconds: somebody waits. What this process does not do, such as
// measuring, is an error that wraps service.ErrUnsupported, what takes long to read
// ErrReading; the page then says so.
type System interface {
	Name() string
	Language() string     // that is declared; empty = none
	Fresh() time.Duration // how old a check may be and still count as now; 0 = any age

	Standings(ctx context.Context) ([]control.Standing, error)
	Verbs(ctx context.Context, job journal.Run) (begun []journal.Run, of int, err error)
	Runs(ctx context.Context, q journal.Query) (runs []journal.Run, next string, err error)
	Run(ctx context.Context, id string) (run journal.Run, verbs []journal.Run, err error)
	Alive(run string) (bool, error)
	Points(ctx context.Context) ([]Point, error)
	Stores(ctx context.Context) ([]report.Capacity, error)

	Next(ctx context.Context) ([]Due, error)
	Alerts(ctx context.Context) (Alerts, error)
	Series(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Series, error)
}

// Point is a restore point and the rules of keep: that hold it.
type Point struct {
	repository.Point
	KeptBy []string
}

// Due is something that is going to happen, or should have happened.
type Due struct {
	Sort    string    // job, window, item (of a checklist), ping
	Name    string    // as declared; of an item LIST/ITEM
	At      time.Time // when it is due
	Until   time.Time // end of a window; zero for what takes no time
	Overdue bool      // it should have happened
	Last    time.Time // when it happened last; zero = never
	Run     string    // that did it then; empty = none
	Exit    int       // of that run
}

// Alerts are all that rules say now.
type Alerts struct {
	Alerts   []Alert
	Silences []Silence
	Rules    []Rule
	Lint     []Lint
}

// Alert is one that fires, or would if nothing kept it quiet.
type Alert struct {
	Name       string
	Severity   service.Severity // by its label; unknown where it has none that is known
	Target     string           // empty where it names none
	Summary    string           // in the words of its rule
	Detail     string
	Labels     map[string]string
	Since      time.Time
	Runbook    string
	SilencedBy []string // IDs of silences
	InhibitedBy,
	MutedBy []string // names of other alerts; of time intervals
}

// Quiet reports whether nobody is told of it.
func (a Alert) Quiet() bool { return len(a.SilencedBy)+len(a.InhibitedBy)+len(a.MutedBy) > 0 }

// Silence keeps alerts quiet for some time.
type Silence struct {
	ID, By, Why string
	Matchers    []string // alertname="DiskFull"
	From, Until time.Time
}

// Rule is one alert rule and how it stands.
type Rule struct {
	Name, Group, Expr string
	State             string // firing, pending, inactive
	Error             string // why it cannot be evaluated; empty = it can
	At                time.Time
}

// Lint is what is wrong with a rule although it can be evaluated: it asks for what
// nobody exports.
type Lint struct {
	Rule, Place string // FILE:LINE
	Missing     string // what nobody exports: metric, label or value
	What        string // the one that is missing
	Nearest     string // the name that was meant, perhaps
}

// Series is one line of samples.
type Series struct {
	Labels  map[string]string
	Samples []Sample
}

// Sample is one value at one time.
type Sample struct {
	At    time.Time
	Value float64
}
