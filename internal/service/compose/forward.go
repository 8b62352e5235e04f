package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// forward hands connections of this machine over to a port of a container.
type forward struct {
	space    *os.File // the container's network
	port     int
	listener net.Listener
	busy     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

// Forward listens on a port of this machine's loopback address that nobody has.
func (d *disposable) Forward(ctx context.Context, port int) (string, error) {
	if err := d.in.holds(d.id, d.pid); err != nil {
		return "", err
	}
	space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", d.pid))
	if err != nil {
		return "", d.in.outOfReach(err)
	}
	f := &forward{space: space, port: port, open: map[net.Conn]bool{}}
	// A trial: the port may not be served yet, the network must be open to us.
	if conn, err := f.dial(); err == nil {
		_ = conn.Close()
	} else if !errors.Is(err, unix.ECONNREFUSED) {
		return "", errors.Join(d.in.outOfReach(err), space.Close())
	}
	if f.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return "", errors.Join(fmt.Errorf("find a free port: %w", err), space.Close())
	}
	f.busy.Go(f.serve)
	d.forwards = append(d.forwards, f)
	return f.listener.Addr().String(), nil
}

// dial connects from a thread that has entered the network of a container. No
// other work may run on such a thread, so it ends here: it stays locked.
func (f *forward) dial() (*net.TCPConn, error) {
	type dialled struct {
		conn *net.TCPConn
		err  error
	}
	result := make(chan dialled, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(f.space.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- dialled{err: fmt.Errorf("enter the network of the container: %w", err)}
			return
		}
		conn, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: f.port})
		result <- dialled{conn, err}
	}()
	r := <-result
	return r.conn, r.err
}

// serve ends with the listener.
func (f *forward) serve() {
	for {
		outer, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.busy.Go(func() { f.connect(outer.(*net.TCPConn)) })
	}
}

// connect copies both ways until both sides have ended.
func (f *forward) connect(outer *net.TCPConn) {
	defer f.done(outer)
	if !f.add(outer) {
		return
	}
	inner, err := f.dial()
	if err != nil {
		return // the client sees its connection closed, as by a server that does not serve
	}
	defer f.done(inner)
	if !f.add(inner) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { pass(outer, inner) })
	pass(inner, outer)
	back.Wait()
}

// pass copies one way, and its end.
func pass(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from) // a broken connection ends both ways
	_ = to.CloseWrite()
}

func (f *forward) add(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[c] = !f.closed
	return !f.closed
}

func (f *forward) done(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
	_ = c.Close() // all that was to be written is written
}

// close ends all connections and waits for them.
func (f *forward) close() {
	_ = f.listener.Close() // nobody waits in it
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.busy.Wait()
	_ = f.space.Close() // nothing was written to it
}
