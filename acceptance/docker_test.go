package acceptance

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/lab"
)

// startEngine starts a Docker engine with the image lab/base:1, with the option servers
// also lab/servers:1, with neo4j also lab/neo4j:1. It sets NAME_HOST and DOCKER_HOST
// for the docker program, and NAME_COMPOSE, the program docker compose.
func startEngine(ts *testscript.TestScript, name string, options []string) {
	e := lab.Docker(scriptTB{ts})
	if slices.Contains(options, "servers") {
		ts.Check(e.ImportServers(context.Background()))
	}
	if slices.Contains(options, "neo4j") {
		ts.Check(e.ImportNeo4j(context.Background()))
	}
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

// contained chooses the address of a Neo4j server that the script itself runs in a
// container, without logins. It sets NAME_HOST and NAME_PORT, NEO4J_DIR and
// JAVA_DIR, which that container mounts, and DUMP_44, a dump of Neo4j 4.4.
func contained(ts *testscript.TestScript, name string) {
	bin, err := lab.Neo4jBin()
	ts.Check(err)
	java, err := lab.JavaHome()
	ts.Check(err)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	port := free.Addr().(*net.TCPAddr).Port
	ts.Check(free.Close())
	s := &running{Server: &lab.Server{Component: "neo4j", Host: "127.0.0.1", Port: port, User: "neo4j"}}
	ts.Value(labKey{}).(*servers).byName[name] = s
	ts.Setenv(name+"_HOST", s.Host)
	ts.Setenv(name+"_PORT", strconv.Itoa(port))
	ts.Setenv("NEO4J_DIR", filepath.Dir(bin))
	ts.Setenv("JAVA_DIR", java)
	old, err := filepath.Abs("../internal/service/neo4j/testdata/neo4j-4.4.dump")
	ts.Check(err)
	ts.Setenv("DUMP_44", old)
	ts.Setenv("PATH", bin+":"+ts.Getenv("PATH"))
}
