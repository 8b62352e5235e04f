package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// dump is a running transfer of an RDB. Its Read ends with io.EOF only after the
// server said that the file is whole.
type dump struct {
	c    *conn
	mark []byte // ends a stream of unknown length; nil when the length is known
	left int64  // bytes to come, when the length is known
	held []byte // read and not yet given out: may be the start of the mark
	done bool
	n    int64
}

// dump asks for a copy as a replica would. The server forks and streams it, from
// memory where repl-diskless-sync is on (the default since Redis 7, after
// repl-diskless-sync-delay), else through a file of its own. A server without
// replicas makes itself a backlog (repl-backlog-size, 1 MB) and a new
// replication ID for it.
func (in *Instance) dump(ctx context.Context) (*dump, error) {
	c, err := in.connect(ctx)
	if err != nil {
		return nil, err
	}
	d := &dump{c: c}
	if err := d.ask(); err != nil {
		return nil, errors.Join(in.syncError(err), c.close())
	}
	return d, nil
}

// syncError adds words where a person has to change something at the server.
func (in *Instance) syncError(err error) error {
	err = fmt.Errorf("ask %s for a copy: %w", in.at.address, err)
	args := service.Args{"address": in.at.address, "user": in.at.user}
	switch {
	case isCode(err, "NOPERM"):
		return &service.Fault{ID: "redis.sync-denied", Args: args, Err: err}
	case isCode(err, "NOMASTERLINK"):
		return &service.Fault{ID: "redis.no-primary-link", Args: args, Err: err}
	case errors.Is(err, service.ErrUnsupported):
		return &service.Fault{ID: "redis.no-sync", Args: args, Err: err}
	}
	return err
}

func (d *dump) ask() error {
	if _, err := d.c.do("REPLCONF", "capa", "eof"); err != nil {
		return fmt.Errorf("announce a replica: %w", err)
	}
	// Since Redis 7.0 the server then keeps no writes back for us. Others refuse.
	var no *refusal
	if _, err := d.c.do("REPLCONF", "rdb-only", "1"); err != nil && !errors.As(err, &no) {
		return err
	}
	d.c.send("PSYNC", "?", "-1")
	if err := d.c.w.Flush(); err != nil {
		return d.c.lost(err)
	}
	answer, err := d.line()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "+FULLRESYNC") {
		return fmt.Errorf("%w: %q instead of a copy", errProtocol, answer)
	}
	return d.frame()
}

// line reads one line and skips the empty ones that the server sends while it
// prepares. An error reply is an error.
func (d *dump) line() (string, error) {
	for {
		if err := d.c.wait(); err != nil {
			return "", d.c.lost(err)
		}
		line, err := d.c.r.ReadString('\n')
		if err != nil {
			return "", d.c.lost(noEOF(err))
		}
		line = strings.TrimRight(line, "\r\n")
		if text, refused := strings.CutPrefix(line, "-"); refused {
			return "", &refusal{text}
		}
		if line != "" {
			return line, nil
		}
	}
}

// frame reads how the end will be known: "$1234", or "$EOF:" and 40 bytes.
func (d *dump) frame() error {
	line, err := d.line()
	if err != nil {
		return err
	}
	if mark, streamed := strings.CutPrefix(line, "$EOF:"); streamed && len(mark) == 40 {
		d.mark = []byte(mark)
		return nil
	}
	size, found := strings.CutPrefix(line, "$")
	d.left, err = strconv.ParseInt(size, 10, 64)
	if !found || err != nil || d.left <= 0 {
		return fmt.Errorf("%w: %q instead of a length", errProtocol, line)
	}
	return nil
}

// size is the length of the file, 0 while unknown.
func (d *dump) size() int64 {
	if d.mark != nil {
		return 0
	}
	return d.left + d.n
}

func (d *dump) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if d.mark != nil {
		return d.readMarked(p)
	}
	if d.left == 0 {
		return 0, io.EOF
	}
	n, err := d.receive(p[:min(int64(len(p)), d.left)])
	d.left -= int64(n)
	d.n += int64(n)
	return n, err
}

// receive reads what is there; any end of the connection is too early.
func (d *dump) receive(p []byte) (int, error) {
	if err := d.c.wait(); err != nil {
		return 0, d.c.lost(err)
	}
	n, err := d.c.r.Read(p)
	if err != nil {
		return n, fmt.Errorf("the copy broke off after %d bytes: %w", d.n+int64(n), d.c.lost(noEOF(err)))
	}
	return n, nil
}

// readMarked gives out what cannot be a part of the mark.
func (d *dump) readMarked(p []byte) (int, error) {
	for !d.done && len(d.held) < len(d.mark) {
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
	ready := len(d.held)
	if !d.done {
		ready -= len(d.mark) - 1
	}
	if ready == 0 {
		return 0, io.EOF
	}
	n := copy(p, d.held[:ready])
	d.held = d.held[n:]
	d.n += int64(n)
	return n, nil
}

// fill reads more and cuts the mark off.
func (d *dump) fill() error {
	chunk := make([]byte, 64<<10)
	n, err := d.receive(chunk)
	if err != nil {
		return err
	}
	d.held = append(d.held, chunk[:n]...)
	if at := bytes.Index(d.held, d.mark); at >= 0 {
		d.held, d.done = d.held[:at], true
	}
	return nil
}

func (d *dump) Close() error { return d.c.close() }
