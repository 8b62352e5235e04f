package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hdt3213/rdb/crc64jones"

	"upkeep/internal/service"
)

// Restore empties the server and puts every key of the copy into it with RESTORE,
// which needs no access to its files. Before anything is changed the copy is read
// to its end once, compared with its manifest, and the server asked whether it can
// take it. Redis has no transaction of that size: while it runs, clients see a
// part of the copy and can write between; when it breaks off, the error says how
// far it came, and a second call begins anew. Keys whose time has come are left
// out.
//
// With a selection, the keys whose name matches are replaced in every database
// and everything else is left alone, keys of that name that the copy lacks
// included. * stands for any number of bytes; every other byte for itself.
func (in *Instance) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) (err error) {
	plan, err := in.planRestore(ctx, c, sel)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	target, err := in.connect(ctx)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	defer func() { err = errors.Join(err, target.close()) }()
	w := &restorer{c: target, plan: plan, db: in.at.db}
	if sel.All() {
		if err := w.empty(); err != nil {
			return err
		}
	}
	if err := w.fill(ctx, c, r); err != nil {
		return w.broken(err)
	}
	in.env.Log.Info("restored", "keys", w.confirmed, "functions", w.functions, "lapsed", w.lapsed)
	return nil
}

// restorePlan is what was learned before anything is changed.
type restorePlan struct {
	sel     service.Selection
	head    header
	keys    int64  // of the copy that the selection names
	first   []byte // of those keys
	now     int64  // the target's clock, milliseconds
	flushes bool   // the target knows functions
}

// restorer sends keys in batches and counts those that the server confirmed.
type restorer struct {
	c         *conn
	plan      restorePlan
	db        int
	pending   int   // commands without an answer
	size      int   // bytes of them
	keys      int64 // of the pending commands
	confirmed int64
	functions int64
	lapsed    int64
	emptied   bool
}

// empty tries a RESTORE first: a login that may only flush would leave nothing.
func (w *restorer) empty() error {
	_, err := w.c.do("RESTORE", string(w.plan.first), "0", "no value", "REPLACE") // refused before anything is replaced
	if err == nil || errors.Is(err, service.ErrDenied) || errors.Is(err, service.ErrUnsupported) {
		return fmt.Errorf("nothing was changed: try RESTORE: %w", err)
	}
	if w.plan.flushes {
		if _, err := w.c.do("FUNCTION", "FLUSH"); err != nil {
			return fmt.Errorf("keys are untouched: remove functions: %w", err)
		}
	}
	w.emptied = true // from here on even a lost answer may mean that it was done
	if _, err := w.c.do("FLUSHALL", "ASYNC"); err != nil {
		return w.broken(fmt.Errorf("empty the server: %w", err))
	}
	return nil
}

// broken says in which state the server is.
func (w *restorer) broken(err error) error {
	slug := "redis.restore-broken-off"
	if !w.emptied {
		slug = "redis.restore-only-broken-off"
	}
	return &service.Fault{ID: slug, Err: err,
		Args: service.Args{"restored": w.confirmed, "keys": w.plan.keys, "address": w.c.address}}
}

// fill walks the copy a second time.
func (w *restorer) fill(ctx context.Context, c service.Copy, r service.Report) (err error) {
	content, size, err := openCopy(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	_, err = walk(&reporter{ctx: ctx, r: content, total: size, report: r}, visitor{function: w.function, record: w.key})
	if err != nil {
		return err
	}
	return w.settle()
}

func (w *restorer) function(code []byte) error {
	if !w.plan.sel.All() {
		return nil
	}
	if _, err := w.c.do("FUNCTION", "LOAD", "REPLACE", string(code)); err != nil {
		return fmt.Errorf("load a function library: %w", err)
	}
	w.functions++
	return nil
}

func (w *restorer) key(rec record) error {
	switch {
	case !matches(w.plan.sel.Only, rec.Key):
		return nil
	case rec.Expiry != 0 && rec.Expiry <= w.plan.now:
		w.lapsed++
		return nil
	}
	if rec.DB != w.db {
		w.c.send("SELECT", strconv.Itoa(rec.DB))
		w.db = rec.DB
		w.pending++
	}
	w.send(rec)
	const most, bytes = 512, 1 << 20
	if w.pending >= most || w.size >= bytes {
		return w.settle()
	}
	return nil
}

// send writes RESTORE key expiry value REPLACE ABSTTL. The value of a file is the
// value of DUMP; only version and checksum come after it.
func (w *restorer) send(rec record) {
	footer := binary.LittleEndian.AppendUint16(nil, uint16(w.plan.head.Version))
	sum := crc64jones.New()
	for _, piece := range [][]byte{{rec.Type}, rec.Value, footer} {
		_, _ = sum.Write(piece) // a hash never fails
	}
	footer = binary.LittleEndian.AppendUint64(footer, sum.Sum64())
	w.c.sendHead(6)
	w.c.sendBulk("RESTORE")
	w.c.sendBulk(string(rec.Key))
	w.c.sendBulk(strconv.FormatInt(rec.Expiry, 10))
	w.c.sendBulk(string([]byte{rec.Type}), string(rec.Value), string(footer))
	w.c.sendBulk("REPLACE")
	w.c.sendBulk("ABSTTL")
	w.pending++
	w.keys++
	w.size += len(rec.Key) + len(rec.Value)
}

// settle waits for the answers to what was sent. The first error counts; keys of
// a batch that failed are not counted as restored.
func (w *restorer) settle() error {
	if err := w.c.w.Flush(); err != nil {
		return w.c.lost(err)
	}
	var first error
	for range w.pending {
		_, err := w.c.receive()
		var no *refusal
		if err != nil && !errors.As(err, &no) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return fmt.Errorf("restore keys: %w", first)
	}
	w.confirmed += w.keys
	w.pending, w.size, w.keys = 0, 0, 0
	return nil
}

// matches reports whether name matches a pattern in which only * is special; the
// empty pattern matches everything.
func matches(pattern string, name []byte) bool {
	if pattern == "" {
		return true
	}
	rest := string(name)
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return rest == pattern
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(rest) < len(first)+len(last) || !strings.HasPrefix(rest, first) || !strings.HasSuffix(rest, last) {
		return false
	}
	rest = rest[len(first) : len(rest)-len(last)]
	for _, piece := range pieces[1 : len(pieces)-1] {
		at := strings.Index(rest, piece)
		if at < 0 {
			return false
		}
		rest = rest[at+len(piece):]
	}
	return true
}
