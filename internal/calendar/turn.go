package calendar

import "time"

// Turn is one time at which a job was due, and what became of it.
type Turn struct {
	System string
	Job    string
	Due    time.Time // by the calendar; one turn of a job per moment
	State  State
	Run    string    // of the newest try; given before it begins, so that a killed one is gone on with
	Tries  int       // that were given a run
	Began  time.Time // the newest try; of one that is enqueued, before which it does not begin
	Ended  time.Time
	Exit   int    // of the newest try
	Detail string // why, in one word or as the ID of an error
}

// State is what became of a turn.
type State string

// The states of a turn. The first two are open: it will run, or runs.
const (
	Enqueued State = "enqueued"
	Started  State = "started"
	Ended    State = "ended"
	Missed   State = "missed"  // it passed while nothing ran
	Skipped  State = "skipped" // an earlier one still ran
	Refused  State = "refused" // what it waits for did not come
)

// Open reports whether it is still to be run to its end.
func (t Turn) Open() bool { return t.State == Enqueued || t.State == Started }

// Mark is up to when turns of a job have been written down, as long as it is due in the
// same form.
type Mark struct {
	Job  string
	Form string
	Upto time.Time
}
