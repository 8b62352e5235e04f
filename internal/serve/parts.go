package serve

import (
	"context"
	"net/http"

	"upkeep/internal/control"
	"upkeep/internal/service"
)

// part is one thing that goes on as long as the process does.
type part interface {
	Name() string // of logs
	// Run goes on until ctx ends, and returns when nothing of it runs any more. An error
	// while ctx lasts ends the process.
	Run(ctx context.Context) error
	// Reload takes another declaration. After an error the old one is in force.
	Reload(ctx context.Context, app *control.App) error
}

// judged is a part that has something to say of itself at each check.
type judged interface {
	judge() service.Verdict
}

// route is what a part answers: every path that begins with Path.
type route struct {
	Path    string // "/prometheus/"
	Handler http.Handler
}

// newParts is the list of what runs, in the order of its beginning. Each is opened by its
// constructor, which must not wait for anything outside this machine.
func (p *Process) newParts(ctx context.Context) error {
	for _, open := range []func(context.Context, *Process) (part, []route, error){
		newMessenger,
		newCollector,
		newKeeper,
		newLooker,
		newAlerting,
		newScheduler,
		newPinged,
		newTrimmer,
		newTrash,
		newWindows,
		newUnusual,
	} {
		part, routes, err := open(ctx, p)
		if err != nil {
			return err
		}
		p.parts, p.routes = append(p.parts, part), append(p.routes, routes...)
	}
	return nil
}
