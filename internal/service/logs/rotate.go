package logs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

const (
	// patience is how long a writer gets to open its file anew.
	patience = 30 * time.Second
	// quiet is how long a writer that looks by itself is watched: what it writes after a
	// rotation goes into the new file, what it holds open meanwhile does not matter.
	quiet = 2 * time.Second
	look  = 100 * time.Millisecond
)

// tending is one step at work in one directory.
type tending struct {
	in      *Instance
	d       *directory
	report  service.Report
	verdict *service.Verdict
}

// rotate moves the present file aside in one move of the kernel, which puts an empty
// file in its place: the name is never missing, so no writer finds nothing there, and
// no line is copied. Then the writer opens it anew.
func (t *tending) rotate(ctx context.Context, planned file) ([]outcome, error) {
	to, fresh, err := t.aside(ctx, planned)
	if err != nil {
		return nil, err
	}
	if to == "" {
		return []outcome{{}}, nil
	}
	old, err := t.d.look(to)
	if err != nil {
		return nil, err
	}
	if err := t.handOver(ctx, old); err != nil {
		return nil, err
	}
	t.verdict.Set("rotated_to", shown(old.path()))
	t.verdict.Set("bytes", old.Size)
	return []outcome{{Name: raw(to), Fresh: fresh}}, nil
}

// aside moves the planned file away and returns its new name and the new file. Where
// it was moved already, by a run that was cut off or by somebody else, it only says to
// where: nowhere, if it has been compressed since.
func (t *tending) aside(ctx context.Context, planned file) (to string, fresh file, err error) {
	name := string(planned.Name)
	now, err := t.d.look(name)
	if err != nil && !errors.Is(err, service.ErrNotFound) {
		return "", fresh, err
	}
	if err != nil || !now.is(planned) {
		to, err := t.moved(planned)
		return to, now, err
	}
	if err := t.permitted(ctx, now); err != nil {
		return "", fresh, err
	}
	to, err = t.empty(now)
	if err != nil {
		return "", fresh, err
	}
	if fresh, err = t.d.look(to); err != nil {
		return "", fresh, err
	}
	if err := t.exchange(name, to, fresh); err != nil {
		return "", fresh, err
	}
	fresh.Name = planned.Name
	return to, fresh, nil
}

// permitted reports why the file must not be moved: now, whatever the plan saw.
func (t *tending) permitted(ctx context.Context, now file) error {
	u, err := t.in.user(ctx, now)
	if err != nil {
		return err
	}
	if reason, by := t.in.refusal(u); reason != "" {
		return &service.Fault{ID: "logs.rotation-refused", Args: service.Args{"path": shown(now.path()), "reason": reason, "by": who(by)},
			Err: fmt.Errorf("rotate %s, which %v may write: %w", shown(now.path()), who(by), service.ErrRefused)}
	}
	if len(u.writers) > 0 && t.in.cfg.Rotate.Reopen.Signal != "" {
		_, err = t.in.writer(u.writers)
	}
	return err
}

// moved finds a file that was rotated before.
func (t *tending) moved(planned file) (string, error) {
	logs, err := t.in.list(t.d.path, &found{})
	if err != nil {
		return "", err
	}
	for _, l := range logs {
		for _, g := range l.generations {
			if g.is(planned) {
				return string(g.Name), nil
			}
		}
	}
	return "", nil
}

// empty makes the file that takes the place of like, with its owner and mode, under
// the first rotated name that is free.
func (t *tending) empty(like file) (string, error) {
	const tries = 1000
	for n := range tries {
		name := rotatedTo(string(like.Name), t.in.env.Now(), n)
		if _, err := t.d.look(name + ".gz"); !errors.Is(err, service.ErrNotFound) {
			continue // rotated and compressed within this second
		}
		f, err := t.d.openAs(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return "", err
		}
		fd := int(f.Fd())
		err = errors.Join(unix.Fchown(fd, like.uid, like.gid), unix.Fchmod(fd, like.permissions()), f.Close())
		if err != nil {
			return "", errors.Join(fmt.Errorf("give %s owner and mode of its log: %w", shown(name), explained(err)), t.d.remove(name))
		}
		return name, nil
	}
	return "", fmt.Errorf("%d names for %s are taken: %w", tries, shown(like.path()), service.ErrBusy)
}

// exchange swaps two names. An empty file that could not be brought in is removed.
func (t *tending) exchange(name, to string, fresh file) error {
	err := t.d.rename(name, to, unix.RENAME_EXCHANGE)
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = &service.Fault{ID: "logs.no-exchange", Args: service.Args{"path": shown(filepath.Join(t.d.path, name))},
			Err: fmt.Errorf("%w: %w", err, service.ErrUnsupported)}
	}
	if now, looked := t.d.look(to); looked == nil && now.same(fresh) {
		err = errors.Join(err, t.d.remove(to))
	}
	return err
}

// handOver has the writer open its file anew and waits until nobody writes into the
// old one. One that does not is an error: the file stays as it is, with every line.
func (t *tending) handOver(ctx context.Context, old file) error {
	u, err := t.in.user(ctx, old)
	if err != nil || u.none() {
		return err
	}
	if t.in.cfg.Rotate.Reopen.Signal != "" {
		p, err := t.in.writer(u.writers)
		if err != nil {
			return err
		}
		if err := t.in.signal(p); err != nil {
			return err
		}
	}
	return t.released(ctx, old)
}

// released waits until a file is let go. For a writer that looks by itself before each
// line it is enough that the file stands still.
func (t *tending) released(ctx context.Context, old file) error {
	end, since, size := time.Now().Add(patience), time.Now(), int64(-1)
	for {
		u, err := t.in.user(ctx, old)
		if err != nil {
			return err
		}
		now, err := t.d.look(string(old.Name))
		switch {
		case err != nil:
			return err
		case u.none():
			return nil
		case now.Size != size:
			size, since = now.Size, time.Now()
		case t.in.cfg.Rotate.Reopen.None && time.Since(since) >= quiet:
			return nil
		}
		if time.Now().After(end) {
			by := u.all()
			return &service.Fault{ID: "logs.writer-stays", Args: service.Args{"path": shown(old.path()), "by": who(by), "waited": patience.Seconds()},
				Err: fmt.Errorf("%v still write into %s after %s: %w", who(by), shown(old.path()), patience, service.ErrBusy)}
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// reopen ends a rotation whose writer was not told.
func (t *tending) reopen(ctx context.Context, planned file) error {
	now, err := t.d.look(string(planned.Name))
	if errors.Is(err, service.ErrNotFound) {
		return nil // compressed since: nobody had it open then
	}
	if err != nil {
		return err
	}
	return t.handOver(ctx, now)
}
