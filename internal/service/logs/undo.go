package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// Undo lists what takes a finished step back: a rotation after which nothing was
// written is reversed, compressed files become plain again. What was deleted is gone.
func (in *Instance) Undo(ctx context.Context, s service.Step, done json.RawMessage) ([]service.Step, error) {
	if s.Op == opRefuse || s.Op == opReopen {
		return nil, ctx.Err()
	}
	var w work
	if err := json.Unmarshal(done, &w); err != nil || len(w.Files) == 0 || len(w.To) != len(w.Files) {
		return nil, fmt.Errorf("read what %s did: %w", s.ID, errors.Join(err, service.ErrUnsupported))
	}
	switch s.Op {
	case opRotate:
		return in.undoRotate(w)
	case opCompress:
		return in.undoCompress(w), ctx.Err()
	}
	return nil, fmt.Errorf("take %s back: %w", s.ID, service.ErrUnsupported)
}

func (in *Instance) undoRotate(w work) ([]service.Step, error) {
	if w.To[0].Name == "" {
		return nil, nil
	}
	d, err := openDir(string(w.Files[0].Dir))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if err := reversible(d, w); err != nil {
		return nil, err
	}
	path := shown(w.Files[0].path())
	return []service.Step{step(opUnrotate, service.Reversible, w.Files[0].path(), w,
		service.Args{"path": path, "to": shown(string(w.To[0].Name))})}, nil
}

// reversible reports why a rotation cannot be taken back: something was written since,
// or a file is not where the rotation left it.
func reversible(d *directory, w work) error {
	now, err := d.look(string(w.Files[0].Name))
	if err != nil {
		return err
	}
	old, err := d.look(string(w.To[0].Name))
	if err == nil && (!now.is(w.To[0].Fresh) || now.Size > 0 || !old.is(w.Files[0])) {
		err = service.ErrRefused
	}
	if err != nil {
		return &service.Fault{ID: "logs.written-since", Args: service.Args{"path": shown(now.path())},
			Err: fmt.Errorf("take the rotation of %s back: %w", shown(now.path()), err)}
	}
	return nil
}

func (in *Instance) undoCompress(w work) []service.Step {
	n := 0
	for _, to := range w.To {
		if to.Name != "" {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []service.Step{step(opDecompress, service.Reversible, w.Files[0].path(), w,
		service.Args{"path": shown(w.Files[0].path()), "n": n})}
}

// unrotate swaps the names again. A line that a writer put into the new file at the
// last moment stays in it, under the rotated name.
func (t *tending) unrotate(ctx context.Context, w work) error {
	name, to := string(w.Files[0].Name), string(w.To[0].Name)
	now, err := t.d.look(name)
	if err != nil {
		return err
	}
	if !now.is(w.Files[0]) {
		if err := t.back(ctx, w, now); err != nil {
			return err
		}
	}
	left, err := t.d.look(to)
	if errors.Is(err, service.ErrNotFound) {
		return nil // done before
	}
	if err != nil {
		return err
	}
	if err := t.handOver(ctx, left); err != nil {
		return err
	}
	left, err = t.d.look(to)
	if err != nil || left.Size > 0 || !left.is(w.To[0].Fresh) {
		return err
	}
	return t.d.remove(to)
}

func (t *tending) back(ctx context.Context, w work, now file) error {
	if err := reversible(t.d, w); err != nil {
		return err
	}
	if err := t.permitted(ctx, now); err != nil {
		return err
	}
	return t.d.rename(string(w.Files[0].Name), string(w.To[0].Name), unix.RENAME_EXCHANGE)
}
