package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/service"
)

// patience is how long a server may keep silent before it counts as gone. While
// it prepares a copy it sends a newline every second, and a client of its own
// gives up after as long (repl-timeout).
const patience = 60 * time.Second

// conn is one connection that ends with the context it was dialled under.
type conn struct {
	net      net.Conn
	r        *bufio.Reader
	w        *bufio.Writer
	patience time.Duration // 0 = as long as the context
	unwatch  func() bool
	ended    func() error // the context's error
	address  string
}

// connect logs in and selects the declared database. A server that is loading
// its data lets that happen.
func (in *Instance) connect(ctx context.Context) (*conn, error) {
	c, err := in.at.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := in.login(ctx, c); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if err := c.selectDB(in.at.db); err != nil && !isLoading(err) {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (in *Instance) login(ctx context.Context, c *conn) error {
	if in.cfg.Password.IsZero() && in.at.user == "" {
		return nil
	}
	var password string
	if !in.cfg.Password.IsZero() {
		value, err := in.env.Secret(ctx, in.cfg.Password)
		if err != nil {
			return fmt.Errorf("resolve the password: %w", err)
		}
		password = value
	}
	args := []string{"AUTH", password}
	if in.at.user != "" {
		args = []string{"AUTH", in.at.user, password}
	}
	if _, err := c.do(args...); err != nil {
		return loginError(err, in.at, password)
	}
	return nil
}

// loginError keeps the password out of the error: a server that does not know
// AUTH repeats the arguments.
func loginError(err error, at endpoint, password string) error {
	var no *refusal
	if !errors.As(err, &no) || errors.Is(err, service.ErrBusy) {
		return err
	}
	said := no.text
	if password != "" {
		said = strings.ReplaceAll(said, password, "…")
	}
	if strings.Contains(said, "without any password configured") || strings.Contains(said, "no password is set") {
		return &service.Fault{ID: "redis.password-not-wanted", Args: service.Args{"address": at.address},
			Err: fmt.Errorf("log in to %s: %s: %w", at.address, said, service.ErrDenied)}
	}
	return fmt.Errorf("log in to %s: %s: %w", at.address, said, service.ErrDenied)
}

// dial opens a connection without logging in.
func (at endpoint) dial(ctx context.Context) (*conn, error) {
	dialer := &net.Dialer{Timeout: patience}
	raw, err := dialer.DialContext(ctx, at.network, at.address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w: %w", at.address, err, service.ErrUnreachable)
	}
	if at.tls {
		if raw, err = at.secure(ctx, raw); err != nil {
			return nil, err
		}
	}
	c := &conn{net: raw, r: bufio.NewReaderSize(raw, 64<<10), w: bufio.NewWriterSize(raw, 64<<10),
		patience: patience, ended: ctx.Err, address: at.address}
	// Closing is the one way to end a read at once that no later deadline undoes.
	c.unwatch = context.AfterFunc(ctx, func() { _ = raw.Close() })
	return c, nil
}

func (at endpoint) secure(ctx context.Context, raw net.Conn) (net.Conn, error) {
	host, _, err := net.SplitHostPort(at.address)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if at.ca != "" {
		pem, err := os.ReadFile(at.ca)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read the authority of %s: %w", at.address, err), raw.Close())
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.Join(fmt.Errorf("%s holds no certificate", at.ca), raw.Close())
		}
	}
	secured := tls.Client(raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("secure the connection to %s: %w: %w", at.address, err, service.ErrUnreachable), raw.Close())
	}
	return secured, nil
}

// close may be called again.
func (c *conn) close() error {
	c.unwatch()
	if err := c.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the connection to %s: %w", c.address, err)
	}
	return nil
}

// lost explains a broken connection: by the context where that ended it.
func (c *conn) lost(err error) error {
	if cause := c.ended(); cause != nil {
		err = cause
	}
	return fmt.Errorf("no answer from %s: %w: %w", c.address, err, service.ErrUnreachable)
}

// wait gives the server its time to answer. The network needs the real clock.
func (c *conn) wait() error {
	if c.patience == 0 {
		return nil
	}
	return c.net.SetReadDeadline(time.Now().Add(c.patience))
}

// do sends one command and returns its reply. An error reply is an error.
func (c *conn) do(args ...string) (any, error) {
	c.send(args...)
	if err := c.w.Flush(); err != nil {
		return nil, c.lost(err)
	}
	return c.receive()
}

// send buffers one command; the writer keeps its first error for Flush.
func (c *conn) send(args ...string) {
	c.sendHead(len(args))
	for _, arg := range args {
		c.sendBulk(arg)
	}
}

func (c *conn) sendHead(n int) { fmt.Fprintf(c.w, "*%d\r\n", n) }

// sendBulk sends the pieces as one argument.
func (c *conn) sendBulk(pieces ...string) {
	size := 0
	for _, piece := range pieces {
		size += len(piece)
	}
	_, _ = c.w.WriteString("$" + strconv.Itoa(size) + "\r\n") // bufio repeats the error at Flush
	for _, piece := range pieces {
		_, _ = c.w.WriteString(piece)
	}
	_, _ = c.w.WriteString("\r\n")
}

func (c *conn) receive() (any, error) {
	if err := c.wait(); err != nil {
		return nil, c.lost(err)
	}
	got, err := readReply(c.r)
	if err != nil {
		return nil, c.lost(err)
	}
	if no, ok := got.(*refusal); ok {
		return nil, no
	}
	return got, nil
}

func (c *conn) selectDB(db int) error {
	if _, err := c.do("SELECT", strconv.Itoa(db)); err != nil {
		return fmt.Errorf("select database %d: %w", db, err)
	}
	return nil
}
