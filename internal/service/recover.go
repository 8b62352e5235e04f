package service

import (
	"context"
	"time"
)

// Halter ends the processes that a target is about. Unlike the services of a Switcher
// nobody here can start them again: what has ended is told, so that a person can.
type Halter interface {
	// Running lists the processes that are meant and all below them, those that were
	// started first coming first. It is an error when some cannot be looked at.
	Running(ctx context.Context) ([]Process, error)
	// Halt asks them to end, waits as long as is declared, and then ends them. It
	// returns when none is left; what has ended is given beside an error, too.
	Halt(ctx context.Context) ([]Process, error)
}

// Process is one that runs, or did.
type Process struct {
	PID     int       `json:"pid"`
	Parent  int       `json:"parent"`
	Command string    `json:"command"`          // as it was typed; what looks like a secret in it is left out
	Dir     string    `json:"dir,omitempty"`    // where it works; empty = not known
	Started time.Time `json:"started,omitzero"` // as precisely as the kernel tells
	Meant   bool      `json:"meant"`            // else it is below one that is
	Stopped bool      `json:"stopped,omitempty"`
	Killed  bool      `json:"killed,omitempty"` // it did not end when it was asked
}

// Recoverer brings a target back from what is left of it: copies that people and programs
// have put beside it, and copies that are kept elsewhere. It judges all of them by what
// they hold, not by their names and times.
type Recoverer interface {
	// Writers names the targets whose processes write into this one.
	Writers(ctx context.Context) ([]string, error)
	// Recovery lists the steps for Recover that bring back the newest that is right; none
	// where that is what is there. It reads only, and the rules of Maintainer hold but that the
	// present content is none of what a step is planned for: it may move until its writers have
	// stopped. Where nothing is right the error wraps ErrNotFound.
	Recovery(ctx context.Context, w Wanted) ([]Step, error)
	// Recover does a step of these, or one that Undoer gave for them. Nobody writes into the
	// target meanwhile.
	Recover(ctx context.Context, s Step, open Opener, r Report) (Outcome, error)
}

// Wanted says what a target is to be brought back from.
type Wanted struct {
	From     string             // a name beside or a point; "" = the newest that is right
	Points   []Taken            // copies that are kept elsewhere
	Open     Opener             // of these
	Accepted func(Finding) bool // whether the declaration accepts it
}

// Taken is a copy of a target that is kept elsewhere.
type Taken struct {
	Point string
	At    time.Time
}

// Opener opens the copy of the target in a point.
type Opener func(ctx context.Context, point string) (Copy, error)
