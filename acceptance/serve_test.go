package acceptance

import (
	"net"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// port NAME…: sets each NAME to the number of a port of 127.0.0.1 that nobody uses.
func port(ts *testscript.TestScript, _ bool, args []string) {
	var held []net.Listener // until all are chosen, so that none is chosen twice
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		held = append(held, l)
		_, number, _ := strings.Cut(l.Addr().String(), ":")
		ts.Setenv(name, number)
	}
	for _, l := range held {
		ts.Check(l.Close())
	}
}
