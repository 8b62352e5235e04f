package neo4j

import (
	"io"
	"net"
	"sync"
	"testing"
)

// door passes connections on to a server while it is open: taking a server away that
// starts in ten seconds takes none.
type door struct {
	address, to string
	mu          sync.Mutex
	closed      bool
	inside      map[net.Conn]bool
}

func newDoor(t *testing.T, to string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d := &door{address: l.Addr().String(), to: to, inside: map[net.Conn]bool{}}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			d.pass(in)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); d.shut() })
	return d
}

func (d *door) pass(in net.Conn) {
	out, err := net.Dial("tcp", d.to)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || d.closed {
		_ = in.Close()
		return
	}
	d.inside[in], d.inside[out] = true, true
	go d.copy(in, out)
	go d.copy(out, in)
}

func (d *door) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inside, to)
	delete(d.inside, from)
}

// shut ends what goes on, as a server that is gone does.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for c := range d.inside {
		_ = c.Close()
	}
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = false
}
