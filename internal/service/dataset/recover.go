package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"upkeep/internal/service"
)

// Recover does a step of a recovery.
func (in *Instance) Recover(ctx context.Context, s service.Step, open service.Opener, r service.Report) (service.Outcome, error) {
	switch s.Op {
	case opPassOver:
		return service.Outcome{}, nil
	case opPut:
		return in.put(ctx, s, open, r)
	case opRebuild:
		return in.rebuild(ctx, s, r)
	}
	return in.Do(ctx, s, r)
}

// put writes the copy beside the store's file, mends what follows from its rows, reads
// that back, and lets the two change places under the writers' locks.
func (in *Instance) put(ctx context.Context, s service.Step, open service.Opener, r service.Report) (o service.Outcome, err error) {
	p, err := argsOf[put](s)
	if err != nil {
		return o, err
	}
	done, is := in.putBefore(ctx, p)
	if !is {
		if done, err = in.putNow(ctx, p, open); err != nil {
			return o, in.full(err)
		}
	}
	r.Add(done.Is.Size, done.Is.Size)
	p.tell(done, &o.Verdict)
	o.Result, err = json.Marshal(done)
	return o, err
}

// tell says what was brought back, and where the file that was there is now.
func (p put) tell(done replaced, v *service.Verdict) {
	var rows int64
	for _, n := range p.Rows {
		rows += n
	}
	for name, value := range map[string]any{"recovered": p.Path, "recovered_from": p.Name, "recovered_at": p.At.Format(time.RFC3339), "recovered_rows": rows,
		"changed": p.Mends, "original": done.Kept, "bytes_in": done.Was.Size, "bytes_out": done.Is.Size} {
		v.Set(name, value)
	}
}

// putting under way is kept, so that one that is done again finds its work done.
const stateOfPut = "put"

type underway struct {
	Sum      string   `json:"sha256"`
	Replaced replaced `json:"replaced"`
	Aside    []seen   `json:"aside,omitempty"` // increments that are put away for it
	// Steps write tables anew for it, by the agreements that they follow.
	Steps map[string][]service.Step `json:"steps,omitempty"`
}

// last is what is under way, or was at last.
func (in *Instance) last(ctx context.Context) (u underway) {
	if in.env.State == nil {
		return u
	}
	text, err := in.env.State.Get(ctx, stateOfPut)
	if err != nil || json.Unmarshal([]byte(text), &u) != nil {
		return underway{}
	}
	return u
}

// putBefore reports whether the file that is there was put there for this step.
func (in *Instance) putBefore(ctx context.Context, p put) (done replaced, is bool) {
	last := in.last(ctx)
	if last.Sum != p.Sum || last.Replaced.Path != p.Path {
		return done, false
	}
	now, err := stateOf(in.path(p.Path))
	if err != nil || now != last.Replaced.Is {
		return done, false
	}
	in.saveDraft(p, last.Replaced)
	return last.Replaced, true
}

// saveDraft keeps what a killed run has left under the name of its draft: what came out of
// the swap, which may be another one than was expected.
func (in *Instance) saveDraft(p put, done replaced) {
	for n := 1; n <= 2; n++ {
		draft := in.draftPath(mending{Path: p.Path}, n)
		left, err := stateOf(draft)
		if err != nil {
			continue
		}
		if left != done.Was {
			_, err = in.keep(draft)
		}
		if err == nil {
			_ = os.Remove(draft) // else the next draft of this name does
		}
	}
}

func (in *Instance) putNow(ctx context.Context, p put, open service.Opener) (done replaced, err error) {
	draft, err := in.besideDraft(ctx, p, open)
	if err != nil {
		return done, fmt.Errorf("write %s beside %s: %w", p.Name, p.Path, err)
	}
	if p.Mends > 0 {
		copied := draft
		draft, err = in.mendedDraft(ctx, p, copied)
		_ = os.Remove(copied) // else the next draft of this name does
		if err != nil {
			return done, fmt.Errorf("mend %s: %w", p.Name, err)
		}
	}
	defer func() { _ = os.Remove(draft) }() // gone once it has taken the place
	err = in.locked(ctx, false, func() error {
		done, err = in.place(ctx, p, draft)
		return err
	})
	return done, err
}

// besideDraft copies a save beside the store's file and reads it back. One that is another by
// now than was planned for is stale.
func (in *Instance) besideDraft(ctx context.Context, p put, open service.Opener) (draft string, err error) {
	s := &save{Name: p.Name, Point: p.Point}
	if p.Point != "" {
		c, err := open(ctx, p.Point)
		if err != nil {
			return "", fmt.Errorf("open the copy in point %s: %w", p.Point, err)
		}
		if s.part, err = c.Part(ctx, filepath.ToSlash(p.Path)); err != nil {
			return "", err
		}
	} else if err := in.unchanged(seen{p.Name, p.Was}); err != nil {
		return "", err
	}
	from, err := in.openSave(ctx, s)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	sum := sha256.New()
	draft, err = in.draftLike(mending{Path: p.Path}, 1, in.like(p, s), func(to *os.File) error {
		_, err := io.Copy(io.MultiWriter(to, sum), during{ctx, from})
		return err
	})
	if err == nil {
		err = in.asPlanned(ctx, p, hex.EncodeToString(sum.Sum(nil)), draft)
	}
	return draft, err
}

// asPlanned compares what was read and what is on the disk with the plan.
func (in *Instance) asPlanned(ctx context.Context, p put, read, draft string) error {
	if read != p.Sum {
		return errors.Join(changed(p.Name, errors.New("its content is another one")), os.Remove(draft))
	}
	file, err := os.Open(draft)
	if err != nil {
		return err
	}
	written, _, err := digest(ctx, file)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	if written != p.Sum {
		return errors.Join(fmt.Errorf("read %s back: %w", draft, errUnlike), os.Remove(draft))
	}
	return nil
}

// like gives a draft the owner and mode of the file that it replaces; where there is none,
// those of the copy.
func (in *Instance) like(p put, s *save) func(*os.File) error {
	return func(f *os.File) error {
		if _, err := os.Stat(in.path(p.Path)); err == nil {
			return owned(f, in.path(p.Path))
		}
		if s.Point == "" {
			return owned(f, in.path(s.Name))
		}
		if os.Geteuid() != 0 {
			return f.Chmod(modeOf(s.part))
		}
		return errors.Join(f.Chown(owner(s.part)), f.Chmod(modeOf(s.part)))
	}
}

// mendedDraft computes anew what follows from the rows, in the form of the copy.
func (in *Instance) mendedDraft(ctx context.Context, p put, from string) (draft string, err error) {
	err = in.inDir(func(dir string) error {
		view, err := in.view(filepath.Join(dir, "store"), map[string]string{p.Path: from})
		if err != nil {
			return err
		}
		form := func(ctx context.Context, _ string) (Config, []service.Finding, error) {
			return in.declare(ctx, view.dir)
		}
		here := &Instance{env: view.env, dir: in.dir, declare: form}
		draft, _, err = here.mended(ctx, mending{Path: p.Path, Tables: p.Tables, Rows: p.Rows}, from, false)
		return err
	})
	return draft, err
}

// place puts the draft where the store's file is, which is kept.
func (in *Instance) place(ctx context.Context, p put, draft string) (done replaced, err error) {
	path := in.path(p.Path)
	was, err := stateOf(path)
	if errors.Is(err, service.ErrNotFound) {
		return in.placeNew(ctx, p, draft)
	}
	if err != nil {
		return done, err
	}
	is, err := stateOf(draft)
	if err != nil {
		return done, err
	}
	kept, err := in.keep(path)
	if err != nil {
		return done, fmt.Errorf("keep the original of %s: %w", p.Path, err)
	}
	if err := in.begin(ctx, underway{Sum: p.Sum, Replaced: replaced{Path: p.Path, Kept: kept, Was: was, Is: is}}); err != nil {
		return done, err
	}
	return in.replace(path, draft, was)
}

func (in *Instance) begin(ctx context.Context, u underway) error {
	if in.env.State == nil {
		return nil
	}
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return in.env.State.Set(ctx, stateOfPut, string(text))
}

func (in *Instance) placeNew(ctx context.Context, p put, draft string) (done replaced, err error) {
	path := in.path(p.Path)
	if err := errors.Join(renamed(draft, path), synced(filepath.Dir(path))); err != nil {
		return done, fmt.Errorf("put %s in its place: %w", p.Path, err)
	}
	is, err := stateOf(path)
	if err != nil {
		return done, err
	}
	done = replaced{Path: p.Path, Is: is}
	return done, in.begin(ctx, underway{Sum: p.Sum, Replaced: done})
}
