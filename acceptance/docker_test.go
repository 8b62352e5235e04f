package acceptance

import (
	"context"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/lab"
)

// startEngine starts a Docker engine with the image lab/base:1, sets NAME_HOST and
// DOCKER_HOST for the docker program, and NAME_COMPOSE, the program docker compose.
func startEngine(ts *testscript.TestScript, name string) {
	e := lab.Docker(scriptTB{ts})
	compose, err := lab.ComposeProgram()
	ts.Check(err)
	ts.Value(labKey{}).(*servers).engines[name] = e
	ts.Setenv(name+"_HOST", e.Host)
	ts.Setenv("DOCKER_HOST", e.Host)
	ts.Setenv(name+"_COMPOSE", compose)
}

// controlEngine is the command server for an engine.
func controlEngine(ts *testscript.TestScript, verb string, e *lab.Engine) {
	switch verb {
	case "stop":
		ts.Check(e.Stop())
	case "start":
		ts.Check(e.Start(context.Background()))
	case "pause":
		ts.Check(e.Pause())
	case "resume":
		ts.Check(e.Resume())
	default:
		ts.Fatalf("an engine cannot %s", verb)
	}
}
