package service

import (
	"context"
	"time"
)

// Window is a time in which a service stands still, for work on its files.
type Window struct {
	Place  Place         `json:"place"`
	AtMost time.Duration `json:"at_most"`
	// Dir is the working directory of every program and every disposable container that
	// works on the files meanwhile: those that still do are ended before the service
	// starts.
	Dir string `json:"dir"`
}

// Guard is a process beside upkeep that outlives it. It starts the service of a
// window when upkeep has ended in whatever way, or hangs: when it has not called
// Starting and the window is over, or takes minutes to stop or start the service.
// What the guard had to do it keeps in the target's State as a Relief.
type Guard interface {
	// Stopped says that the service stands still: the window begins.
	Stopped() error
	// Starting says that the window ended and upkeep itself starts the service.
	Starting() error
	// Dismiss says that the service runs; the guard has ended when it returns.
	Dismiss(ctx context.Context) error
}

// StateOfGuard is the key of the last Relief in a target's State; whoever has shown
// that the service can be stopped and started again removes it.
const StateOfGuard = "guard"

// Relief is what a guard did in place of upkeep, as JSON.
type Relief struct {
	Unit  string    `json:"unit"`
	Since time.Time `json:"since"` // the guard began, just before the service was stopped
	At    time.Time `json:"at"`    // it stepped in
	Late  bool      `json:"late"`  // upkeep still ran, and the window was over
	Error string    `json:"error,omitempty"`
}

// Stops says that taking a copy stops the service. Configurations that can declare
// that return it from Stops() Stops; the zero value means that it keeps running.
type Stops struct {
	Approval string // KIND.op that a job must approve to do it without a person
	AtMost   time.Duration
}
