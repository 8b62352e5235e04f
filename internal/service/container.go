package service

import "context"

// Place is where a server runs, as runs_in: TARGET/SERVICE says: a service of a
// target that manages containers. The zero value means a program of a machine.
type Place struct{ Target, Unit string }

func (p Place) String() string { return p.Target + "/" + p.Unit }

// Containers is what a target that manages containers does for the targets whose
// servers run in them. It works through the engine's API: no shell, no client
// program.
type Containers interface {
	// Exec runs a program in the running container of a service and waits for it. The
	// program is looked for there; Cmd.Major is not judged. Of a program that fails, the
	// error holds the end of what it said.
	Exec(ctx context.Context, unit string, c Cmd) error
	// Disposable starts a container of the service's own image, which idles until it is
	// closed. It has no network and no part in the service's name, health or restarts.
	Disposable(ctx context.Context, unit string, d Disposable) (Container, error)
	// Discard removes the disposable containers that work in one of these directories:
	// what a killed run left, found by Env.Leftovers.
	Discard(ctx context.Context, dirs []string) error
}

// Disposable is what a disposable container gets.
type Disposable struct {
	Dir    string // made by Env.Dir; there under the same path, for both sides to read and write
	Memory int64  // limit in bytes; 0 = that of the service, or half of what the machine has
	// Data also gives it the volumes of the service itself, at their places and
	// writable: for programs that work on the files of a server that stands still.
	Data bool
}

// Container is one disposable container. Closing removes it with its own volumes.
type Container interface {
	// Run is Containers.Exec in it.
	Run(ctx context.Context, c Cmd) error
	// Memory is the limit that it got, in bytes.
	Memory() int64
	// Forward listens on a loopback address of this machine and hands every connection
	// to a port of the container's own loopback, until the container is closed.
	Forward(ctx context.Context, port int) (address string, err error)
	Close() error
}
