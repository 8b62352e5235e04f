package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// Points lists this system's restore points, newest first.
func (a *App) Points(ctx context.Context) ([]repository.Point, error) {
	r, err := a.Repository(ctx)
	if errors.Is(err, service.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	points, err := r.Points(ctx)
	if err != nil {
		return nil, err
	}
	var own []repository.Point
	for _, p := range points {
		if p.System == a.Config.System {
			own = append(own, p)
		}
	}
	return own, nil
}

// KeptBy says for every point which rules of keep: hold it.
func (a *App) KeptBy(ctx context.Context) (map[string][]string, error) {
	rules := map[string][]string{}
	keep := a.keep()
	if keep == nil || a.repository == nil {
		return rules, nil
	}
	decisions, err := a.repository.Retain(ctx, *keep, true)
	for _, d := range decisions {
		rules[d.Point] = d.Rules
	}
	return rules, err
}

// keep is the declared retention, or nil when everything is kept.
func (a *App) keep() *repository.Keep {
	k := a.Config.Keep
	if k == nil {
		return nil
	}
	return &repository.Keep{System: a.Config.System, Last: k.Last, Hourly: k.Hourly, Daily: k.Daily, Weekly: k.Weekly,
		Monthly: k.Monthly, Yearly: k.Yearly, NeverBelowProven: k.NeverBelowProven}
}

// point finds a point by its ID, the beginning of it, or "latest" (also when
// empty), which is the newest complete one that a backup took.
func (a *App) point(ctx context.Context, id string) (*repository.Repository, repository.Point, error) {
	r, err := a.Repository(ctx)
	if errors.Is(err, service.ErrNotFound) {
		return nil, repository.Point{}, a.noPoint()
	}
	if err != nil {
		return nil, repository.Point{}, err
	}
	if id != "" && id != "latest" {
		point, err := r.Point(ctx, id)
		return r, point, err
	}
	points, err := a.Points(ctx)
	if err != nil {
		return nil, repository.Point{}, err
	}
	for _, p := range points {
		if p.Complete && p.Reason == repository.ReasonBackup {
			return r, p, nil
		}
	}
	return nil, repository.Point{}, a.noPoint()
}

func (a *App) noPoint() error {
	return &service.Fault{ID: "error.no-point",
		Err: fmt.Errorf("system %s has no complete restore point: %w", a.Config.System, service.ErrNotFound)}
}

// Point returns one point: see point.
func (a *App) Point(ctx context.Context, id string) (repository.Point, error) {
	_, p, err := a.point(ctx, id)
	return p, err
}

// List walks the parts of one target's copy whose names begin with a prefix.
func (a *App) List(ctx context.Context, pointID, target, prefix string, show func(service.Part) error) error {
	r, point, err := a.point(ctx, pointID)
	if err != nil {
		return err
	}
	c, err := r.Copy(ctx, point.ID, target)
	if err != nil {
		return err
	}
	for part, err := range c.Parts(ctx) {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(part.Name, prefix) {
			continue
		}
		if err := show(part); err != nil {
			return err
		}
	}
	return nil
}

// freeBytes is what an ordinary user may still write on the filesystem that path
// lies on, or will lie on.
func freeBytes(path string) (int64, error) {
	var fs syscall.Statfs_t
	err := syscall.Statfs(path, &fs)
	if err == syscall.ENOENT {
		return freeBytes(parent(path))
	}
	if err != nil {
		return 0, fmt.Errorf("ask for free space at %s: %w", path, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// Held lists this system's points, newest first, with the rules of keep: that hold each.
// It opens the repository for itself and closes it again: a process that goes on neither
// keeps it open nor shares it with the verbs at work.
func (a *App) Held(ctx context.Context) (points []repository.Point, rules map[string][]string, err error) {
	apart := Open(a.Config, a.opt)
	defer func() { err = errors.Join(err, apart.Close(context.WithoutCancel(ctx))) }()
	if points, err = apart.Points(ctx); err != nil {
		return nil, nil, err
	}
	rules, err = apart.KeptBy(ctx)
	return points, rules, err
}
