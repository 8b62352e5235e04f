package service

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// Maintainer lists the care that is due now, as steps for Doer: none when nothing
// is. It reads only. A step's title says what is wrong and by how much, its risk
// what doing it can do to data or users. The state that it was planned for goes into
// Args: Do compares, and ends with ErrStale where the thing is another one by now.
type Maintainer interface {
	Maintenance(ctx context.Context) ([]Step, error)
}

// Curator plans work on data that somebody asks for by its name, as steps for Doer: none
// where there is nothing to do. It reads only, and the rules of Maintainer hold. Work it does not know is an
// error wrapping ErrUnsupported.
type Curator interface {
	Curate(ctx context.Context, w Work) ([]Step, error)
}

// Work is care for data as somebody asks for it.
type Work struct {
	Care Care
	To   string // Convert: the table that is written anew; "" = every declared copy
}

// Care is a sort of care for data.
type Care string

// What upkeep data offers. Each gives a reconciliation with what it did: rows in, out,
// dropped and why.
const (
	Repair  Care = "repair"  // what follows from other values is computed anew, what is broken saved as far as it can be read
	Merge   Care = "merge"   // increments go into their table
	Dedup   Care = "dedup"   // of rows with one key the last stays
	Convert Care = "convert" // a table is written anew from the one that it agrees with
)

// Doer does one step that the same kind has planned, maybe in an earlier process.
// It is called at least once: a step that finds its own work done says so and is
// done. Outcome.Result is what Undo needs, as JSON.
type Doer interface {
	Do(ctx context.Context, s Step, r Report) (Outcome, error)
}

// Undoer lists the steps for Doer that take a finished step back: none where there
// is nothing to take back. done is what Do gave as its result. An error wrapping
// ErrUnsupported says that this step cannot be undone.
type Undoer interface {
	Undo(ctx context.Context, s Step, done json.RawMessage) ([]Step, error)
}

// Tolerant says whether steps that were planned still hold beside those that would be
// planned now, for stores that are written to all the time: what has only come since is left
// to the next plan. Nothing that a planned step names may be another one by now. Without this method
// both must be the same.
type Tolerant interface {
	Tolerates(planned, now []Step) bool
}

// Switcher stops and starts services, for windows in which a store must stand still
// and for restores below a running application. unit is one of the target's
// services; "" is the target itself. Stop returns when the service is down, Start
// when it is up and healthy; both find their work done.
type Switcher interface {
	Stop(ctx context.Context, unit string) error
	Start(ctx context.Context, unit string) error
	// Users lists the running services that need one of these to work, directly or
	// through others, and are none of these. Those that must stop first come first.
	Users(ctx context.Context, units []string) ([]string, error)
}

// Lister lists what a target holds by the million, in ascending byte order of the
// names: objects of a bucket, files. An empty prefix lists everything.
type Lister interface {
	List(ctx context.Context, prefix string) iter.Seq2[Key, error]
}

// Key is one thing of a Lister.
type Key struct {
	Name string
	Size int64 // bytes
}

// Broker is what a kind that works over a message broker asks of the broker's own
// target.
type Broker interface {
	// BrokerURL is the address with its login, for a connection of the caller's own. It
	// holds a password: never in a log, an error or argv.
	BrokerURL(ctx context.Context) (string, error)
	// Queues lists all queues by name.
	Queues(ctx context.Context) ([]Queue, error)
}

// Queue is one queue of a Broker.
type Queue struct {
	Name      string
	Messages  int64 // ready and unacknowledged
	Unacked   int64
	Consumers int64
	Durable   bool
	// Transient queues vanish with their consumer: replies and control channels.
	Transient bool
	// Waiting is how long a message waits at least, as the broker's own checks know; 0
	// where they have seen none wait.
	Waiting time.Duration
}

// PeerRef is a key of a configuration that names another declared target.
// Configurations that have such keys return them from Peers() []PeerRef, so that the
// loader can refuse a name that is not declared.
type PeerRef struct {
	Path   string // of the key: "broker"
	Target string
	Offers string // the capability that it must have; "" = none
}
