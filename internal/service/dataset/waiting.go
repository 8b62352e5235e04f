package dataset

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// judgeWaiting counts files that should have been taken in by now.
func (s *store) judgeWaiting(v *service.Verdict) error {
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Waiting)) {
		w := s.cfg.Waiting[name]
		paths, err := s.in.find(w.Files)
		if err != nil {
			return err
		}
		v.Set("waiting_"+name, len(paths))
		s.judgeAge("dataset.waiting", name, paths, w, v)
	}
	return nil
}

func (s *store) judgeAge(slug, subject string, paths []string, w Waiting, v *service.Verdict) {
	oldest, path := s.oldest(paths)
	age := s.in.env.Now().Sub(oldest)
	tooOld := w.MaxAge > 0 && !oldest.IsZero() && age > w.MaxAge.Std()
	if !tooOld && (w.AtMost == 0 || int64(len(paths)) <= w.AtMost) {
		return
	}
	v.Warn(slug, subject, service.Args{"name": subject, "files": len(paths), "at_most": w.AtMost, "age": age.Seconds(), "max_age": w.MaxAge.Std().Seconds(), "oldest": s.in.within(path)})
}

// oldest is the one that was written to last the longest ago. One that is gone by now
// was taken in.
func (s *store) oldest(paths []string) (oldest time.Time, path string) {
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && (oldest.IsZero() || info.ModTime().Before(oldest)) {
			oldest, path = info.ModTime(), p
		}
	}
	return oldest, path
}

// judgeIncrements looks at what is not merged yet: whole, of the table's columns, and not
// too much.
func (s *store) judgeIncrements(ctx context.Context, name string, v *service.Verdict) error {
	inc := s.cfg.Tables[name].Increments
	paths, err := s.in.unmerged(s.cfg.Tables[name], s.found[name])
	if err != nil || len(inc.Files) == 0 {
		return err
	}
	v.Set("increments_"+name, len(paths))
	s.judgeAge("dataset.increments-wait", name, paths, Waiting{AtMost: inc.AtMost, MaxAge: inc.MaxAge}, v)
	for _, path := range paths {
		if to := s.in.linked(path); to != "" {
			v.Warn("dataset.increment-linked", s.in.within(path), service.Args{"path": s.in.within(path), "table": name, "to": to})
			continue
		}
		if _, err := s.look(ctx, path); err != nil {
			v.Crit("dataset.increment-damaged", s.in.within(path), service.Args{"path": s.in.within(path), "table": name, "detail": plain(err, path)})
			continue
		}
		if err := s.judgeIncrement(ctx, name, path, v); err != nil {
			return err
		}
	}
	return nil
}

// unmerged are the increments of a table but those of which its files say that they hold
// them: these are put away later.
func (in *Instance) unmerged(t Table, files []string) ([]string, error) {
	marks := map[string]int64{}
	for _, file := range files {
		if more, err := in.merged(seen{Path: in.within(file)}); err == nil {
			maps.Copy(marks, more)
		}
	}
	paths, err := in.find(t.Increments.Files)
	return slices.DeleteFunc(paths, func(path string) bool {
		inc, err := in.see(path)
		_, held := marks[inc.mark()]
		return err == nil && held
	}), err
}

func (s *store) judgeIncrement(ctx context.Context, name, path string, v *service.Verdict) error {
	there, err := s.columns(ctx, tables.From(tables.FormatOf(path), path))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.Crit("dataset.increment-damaged", s.in.within(path), service.Args{"path": s.in.within(path), "table": name, "detail": plain(err, path)})
		return nil
	}
	var lacks []string
	for column, c := range s.cfg.Tables[name].Columns {
		if !there[column] && !c.optional() {
			lacks = append(lacks, column)
		}
	}
	if slices.Sort(lacks); len(lacks) > 0 {
		v.Crit("dataset.increment-foreign", s.in.within(path), service.Args{"path": s.in.within(path), "table": name, "lacks": strings.Join(lacks, ", ")})
	}
	return nil
}
