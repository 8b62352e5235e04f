package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

const viewPurpose = "dataset-view"

// judgement is what a file holds, and why it cannot take the place of the store's.
type judgement struct {
	tables []string        // of its form, in order
	rows   []int64         // of each
	holds  map[string]past // by table
	faults []service.Finding
	mends  int64 // values that follow from others and are not what these give
}

// Faults of a file beside those that a check finds in the store's own.
const (
	unreadSave = "dataset.save-unread"
	emptySave  = "dataset.save-empty"
	missing    = "dataset.file-missing"
)

func (j *judgement) fault(id string, args service.Args) {
	j.faults = append(j.faults, service.Finding{ID: id, Severity: service.Critical, Args: args})
}

func (j *judgement) unread(err error) { j.fault(unreadSave, service.Args{"detail": err.Error()}) }

// view is a store in which other files have the places of those that lie there: paths, by
// paths below the store. Its form is that of the other files.
func (in *Instance) view(dir string, files map[string]string) (*Instance, error) {
	for name, path := range files {
		link := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			return nil, err
		}
		if err := os.Symlink(path, link); err != nil {
			return nil, err
		}
	}
	view := &Instance{env: in.env, dir: dir, declare: in.declare}
	view.env.State = nil // what it holds is no past of the target
	return view, nil
}

// inDir does something with a directory that is gone afterwards.
func (in *Instance) inDir(do func(dir string) error) (err error) {
	dir, remove, err := in.env.Dir(viewPurpose)
	if err != nil {
		return fmt.Errorf("make room for a look at a copy: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	return do(dir)
}

// judgeSave reads a save as the store's own file would be read.
func (in *Instance) judgeSave(ctx context.Context, u unit, s *save) error {
	if len(s.faults) > 0 {
		return nil
	}
	return in.inDir(func(dir string) error {
		file, err := in.fileOf(ctx, s, dir)
		if err != nil {
			s.unread(err)
			return ctx.Err()
		}
		return in.judgeFile(ctx, u, s, dir, file)
	})
}

// fileOf is the file of a save; of one elsewhere a copy in the directory.
func (in *Instance) fileOf(ctx context.Context, s *save, dir string) (path string, err error) {
	if s.Point == "" {
		return in.path(s.Name), nil
	}
	from, err := in.openSave(ctx, s)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "save"+filepath.Ext(s.part.Name))
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", errors.Join(err, from.Close())
	}
	_, err = io.Copy(to, during{ctx, from})
	return path, in.full(errors.Join(err, from.Close(), to.Close()))
}

func (in *Instance) judgeFile(ctx context.Context, u unit, s *save, dir, file string) error {
	view, err := in.view(filepath.Join(dir, "store"), map[string]string{u.Path: file})
	if err != nil {
		return err
	}
	cfg, _, err := view.declare(ctx, view.dir)
	if err != nil {
		s.unread(err)
		return ctx.Err()
	}
	s.tables, s.holds = cfg.lyingIn(u.Path), map[string]past{}
	if err := s.date(in, cfg, u, file); err != nil {
		s.unread(err)
		return nil
	}
	return view.judgeTables(ctx, u, &s.judgement)
}

// date says of when the content is.
func (s *save) date(in *Instance, cfg Config, u unit, file string) error {
	s.At = s.taken
	if tables.FormatOf(u.Path) == tables.Parquet {
		return nil // of text alone it can be told which times stand there
	}
	field := ""
	for _, name := range s.tables {
		field = max(field, cfg.Tables[name].Updated)
	}
	at, err := in.moment(file, field)
	if !at.IsZero() {
		s.At = at
	}
	return err
}

func (in *Instance) judgeTables(ctx context.Context, u unit, j *judgement) (err error) {
	var v service.Verdict
	s, err := in.open(ctx, how{budget: -1, pages: true, only: func(name string) bool { return slices.Contains(j.tables, name) }}, &v)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, name := range j.tables {
		if err := s.judgeSaved(ctx, name, j, &v); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
	}
	return s.sift(ctx, u, j, v)
}

func (s *store) judgeSaved(ctx context.Context, name string, j *judgement, v *service.Verdict) error {
	if !s.asked[name] {
		return nil
	}
	measured, err := s.judgeRows(ctx, name, v)
	if err != nil || measured == nil {
		return err
	}
	if err := errors.Join(s.judgeKeys(ctx, name, v), s.judgeLevels(ctx, name, v)); err != nil {
		return err
	}
	holds, err := s.present(ctx, name, measured)
	j.holds[name] = holds
	rows, _ := measured["rows"].(int64)
	j.rows = append(j.rows, rows)
	return err
}

// sift takes what a repair mends out of the faults, and finds a file that holds nothing.
func (s *store) sift(ctx context.Context, u unit, j *judgement, v service.Verdict) error {
	whole := len(j.rows) == len(j.tables)
	if whole && !slices.ContainsFunc(j.rows, func(n int64) bool { return n > 0 }) {
		j.fault(emptySave, nil)
		return nil
	}
	var left int64
	if whole && mendable(u.Path) {
		if err := s.mend(ctx, u.Path, j.tables); err != nil {
			return err
		}
		c, err := s.changes(ctx, u.Path, j.tables)
		if err != nil {
			return err
		}
		j.mends, left = c.Places, c.Left
	}
	for _, f := range v.Findings {
		if f.Severity != service.Warning && (f.ID != "dataset.level-differs" || left > 0) {
			j.faults = append(j.faults, f)
		}
	}
	return nil
}

// mendable reports whether what follows from other values can be written into a file.
func mendable(path string) bool {
	format := tables.FormatOf(path)
	return format == "" || format == tables.Parquet // a document has no format of tables
}

// usable reports whether nothing that is not accepted speaks against it.
func (j *judgement) usable(accepted func(service.Finding) bool) bool {
	_, any := j.against(accepted)
	return !any
}

// against is the first thing that does.
func (j *judgement) against(accepted func(service.Finding) bool) (service.Finding, bool) {
	i := slices.IndexFunc(j.faults, func(f service.Finding) bool { return !accepted(f) })
	if i < 0 {
		return service.Finding{}, false
	}
	return j.faults[i], true
}

// judgePresent judges the file that is there. One that is found damaged while somebody
// writes to it is looked at again.
func (in *Instance) judgePresent(ctx context.Context, u unit) (s *save, err error) {
	for look := 1; ; look++ {
		s = &save{Name: u.Path}
		is, err := stateOf(in.path(u.Path))
		switch {
		case errors.Is(err, service.ErrNotFound):
			s.fault(missing, nil)
			return s, nil
		case err != nil:
			return nil, err
		}
		s.Was, s.taken = is, time.Unix(0, is.Time)
		if err := errors.Join(in.sum(ctx, s), in.judgeSave(ctx, u, s)); err != nil {
			return nil, err
		}
		if len(s.faults) == 0 || in.env.Now().Sub(s.taken).Abs() > fresh || look == looks {
			return s, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}
