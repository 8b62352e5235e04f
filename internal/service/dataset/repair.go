package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
	"upkeep/internal/tables/footer"
)

// mending is what a step of repair is about: one file, as it was when it was planned.
type mending struct {
	Path   string   `json:"path"` // below the store
	Tables []string `json:"tables"`
	Was    state    `json:"was"`
	Rows   []int64  `json:"rows"`             // that each table has afterwards
	Lost   int64    `json:"lost,omitempty"`   // rows that are known to be lost
	Groups []int    `json:"groups,omitempty"` // of a Parquet file whose row groups are not all readable: those that are
	Why    string   `json:"why,omitempty"`    // what is wrong with the file
}

func (m mending) parquet() bool { return tables.FormatOf(m.Path) == tables.Parquet }

// repair writes a file anew beside it, reads that back, and only then puts it in its
// place. The original is kept.
func (in *Instance) repair(ctx context.Context, s service.Step, r service.Report) (o service.Outcome, err error) {
	m, err := argsOf[mending](s)
	if err != nil {
		return o, err
	}
	err = in.locked(ctx, false, func() error {
		done, err := in.mend(ctx, m, s.Op, &o.Verdict)
		if err == nil {
			r.Add(done.Is.Size, done.Is.Size)
			o.Result, err = json.Marshal(done)
		}
		return err
	})
	return o, in.full(err)
}

func (in *Instance) mend(ctx context.Context, m mending, op string, v *service.Verdict) (done replaced, err error) {
	from, repeated, err := in.original(m)
	if err != nil {
		return done, err
	}
	draft, places, err := in.mended(ctx, m, from, op == opSalvage)
	if err != nil {
		err = fmt.Errorf("write %s anew: %w", m.Path, err)
		if !repeated {
			err = in.staleOr(err, seen{m.Path, m.Was})
		}
		return done, err
	}
	defer func() { _ = os.Remove(draft) }() // gone once it has taken the place
	if done, err = in.placed(m, draft, from, repeated); err == nil {
		m.tell(op, places, done, v)
	}
	return done, err
}

// original is the file that was planned for: at its place, or, where an earlier try was
// cut off after it had changed places, among the originals.
func (in *Instance) original(m mending) (path string, repeated bool, err error) {
	path = in.path(m.Path)
	now, err := stateOf(path)
	if err == nil && now == m.Was {
		return path, false, nil
	}
	if kept := in.keptState(m.Was); err == nil && kept != "" {
		return in.path(kept), true, nil
	}
	return "", false, changed(m.Path, err)
}

// placed puts the draft in its place. Of a repeated step the place must hold the same
// already.
func (in *Instance) placed(m mending, draft, from string, repeated bool) (done replaced, err error) {
	path := in.path(m.Path)
	if !repeated {
		return in.replace(path, draft, m.Was)
	}
	if same, err := sameContent(path, draft); err != nil || !same {
		return done, changed(m.Path, err)
	}
	is, err := stateOf(path)
	return replaced{Path: m.Path, Kept: in.within(from), Was: m.Was, Is: is}, err
}

func sameContent(a, b string) (same bool, err error) {
	var readers [2]*os.File
	for i, path := range []string{a, b} {
		if readers[i], err = os.Open(path); err != nil {
			return false, err
		}
		defer func() { _ = readers[i].Close() }() // it was only read
	}
	var parts [2][64 << 10]byte
	for {
		n, err := io.ReadFull(readers[0], parts[0][:])
		k, other := io.ReadFull(readers[1], parts[1][:])
		if n != k || !bytes.Equal(parts[0][:n], parts[1][:k]) {
			return false, nil
		}
		if err != nil || other != nil {
			return true, notEnd(err, other)
		}
	}
}

func notEnd(all ...error) error {
	return errors.Join(slices.DeleteFunc(all, func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) })...)
}

// tell says what became of the rows.
func (m mending) tell(op string, places int64, done replaced, v *service.Verdict) {
	var rows int64
	for _, n := range m.Rows {
		rows += n
	}
	why := "recomputed"
	if op == opSalvage {
		why = m.Why
	}
	if op == opSalvage && m.Why != string(document.ByteOrder) {
		v.Warn("dataset.salvaged", m.Path, service.Args{"path": m.Path, "kept": done.Kept, "rows": rows, "dropped": m.Lost})
	}
	for name, value := range map[string]any{"path": m.Path, "rows_in": rows + m.Lost, "rows_out": rows, "dropped": m.Lost, "why": why,
		"changed": places, "original": done.Kept, "bytes_in": done.Was.Size, "bytes_out": done.Is.Size} {
		v.Set(name, value)
	}
}

// mended writes what the file should be: first what can be read of it, then what follows
// from its rows. The draft has been read back: it holds the same rows, and nothing in it is
// left to mend.
func (in *Instance) mended(ctx context.Context, m mending, from string, salvage bool) (draft string, places int64, err error) {
	if salvage {
		if from, err = in.salvaged(ctx, m, from); err != nil {
			return "", 0, err
		}
		defer func() {
			if draft != from {
				_ = os.Remove(from) // else the next draft of this name does
			}
		}()
	}
	was, err := in.reading(ctx, m, from)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, was.close()) }()
	if draft, err = was.recomputed(ctx, m, from, salvage); err != nil {
		return "", 0, err
	}
	if err = was.compare(ctx, m, draft); err != nil {
		_ = os.Remove(draft) // else the next draft of this name does
		return "", 0, err
	}
	return draft, was.found.Places, nil
}

// mendingStore is one file of a store as tables, and what is to be mended in it.
type mendingStore struct {
	*store
	found changes
}

func (in *Instance) reading(ctx context.Context, m mending, file string) (*mendingStore, error) {
	var v service.Verdict
	s, err := in.open(ctx, how{budget: -1, only: func(name string) bool { return slices.Contains(m.Tables, name) }, instead: map[string]string{m.Path: file}}, &v)
	if err != nil {
		return nil, err
	}
	if fault := s.faults[m.Path]; fault != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", m.Path, fault), s.close())
	}
	if err := s.mend(ctx, m.Path, m.Tables); err != nil {
		return nil, errors.Join(err, s.close())
	}
	found, err := s.changes(ctx, m.Path, m.Tables)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return &mendingStore{s, found}, nil
}

// recomputed writes what follows from the rows; where nothing differs, what was salvaged
// is the draft.
func (s *mendingStore) recomputed(ctx context.Context, m mending, from string, salvage bool) (string, error) {
	if s.found.Places == 0 {
		if !salvage {
			return "", changed(m.Path, errors.New("nothing in it is left to mend"))
		}
		return from, nil
	}
	return s.in.draft(m, 2, func(to *os.File) error {
		if m.parquet() {
			_, err := footer.Copy(ctx, from, to, footer.Change{Cells: s.cells(ctx, m.Path, m.Tables)})
			return err
		}
		return s.rewriteDocument(ctx, m, from, to)
	})
}

func (s *mendingStore) rewriteDocument(ctx context.Context, m mending, path string, to io.Writer) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only read
	info, err := from.Stat()
	if err != nil {
		return err
	}
	patterns, edits, err := s.documentEdits(ctx, m.Path, m.Tables)
	if err != nil {
		return err
	}
	return document.Rewrite(from, info.Size(), to, patterns, edits)
}

// errUnlike says that a draft is not what it should be: a mistake of ours, found before
// anything was changed.
var errUnlike = errors.New("what was written is not what it should be; nothing was changed")

// compare reads the draft back.
func (s *mendingStore) compare(ctx context.Context, m mending, draft string) (err error) {
	is, err := s.in.reading(ctx, m, draft)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, is.close()) }()
	if is.found.Places > 0 {
		return fmt.Errorf("%d places still differ, such as %s: %w", is.found.Places, is.found.Worst.Place, errUnlike)
	}
	if m.parquet() {
		if _, err := footer.Walk(ctx, draft); err != nil {
			return fmt.Errorf("%w: %w", err, errUnlike)
		}
	}
	for i, name := range m.Tables {
		rows, digest, err := s.measured(ctx, name, m.Path)
		if err != nil {
			return err
		}
		now, other, err := is.measured(ctx, name, m.Path)
		if err != nil {
			return err
		}
		if rows != now || digest != other || now != m.Rows[i] {
			return fmt.Errorf("of %d rows of %s there are %d, and what was measured (%s) is %s: %w", m.Rows[i], name, now, digest, other, errUnlike)
		}
	}
	return nil
}

// refuse says that something cannot be mended, as the plan did.
func (in *Instance) refuse(_ context.Context, s service.Step, _ service.Report) (o service.Outcome, err error) {
	args, err := argsOf[service.Args](s)
	if err != nil {
		return o, err
	}
	tell, path := o.Verdict.Crit, fmt.Sprint(args["path"])
	if ours(path) || args["reason"] == "link" { // nothing is lost by waiting
		tell = o.Verdict.Warn
	}
	tell("dataset.not-mended", path, args)
	return o, nil
}
