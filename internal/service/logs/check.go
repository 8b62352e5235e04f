package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/glob"
	"upkeep/internal/service"
)

// mostNames bounds how many names stand in one finding.
const mostNames = 10

// names are the first of what was found, for people, and how many there are.
type names struct {
	n     int
	first []string
}

func (s *names) add(name string) {
	s.n++
	if len(s.first) < mostNames {
		s.first = append(s.first, name)
	}
}

func (s *names) args() service.Args { return service.Args{"n": s.n, "names": s.first} }

// Check looks at the files without opening one: whether they are there, readable,
// closed to others, growing as they should and rotated in time.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	f, err := in.find(ctx)
	if err != nil {
		return v, fmt.Errorf("look for log files: %w", err)
	}
	n, bytes := f.files()
	v.Set("files", n)
	v.Set("logs", len(f.logs))
	v.Set("size_bytes", bytes)
	in.judgeAccess(f, &v)
	if err := in.judgePresence(ctx, f, &v); err != nil {
		return v, err
	}
	if err := in.judgeGrowth(ctx, f, &v); err != nil {
		return v, err
	}
	in.judgeSizes(f, &v)
	return v, in.judgeRotation(ctx, f, &v)
}

// judgeAccess names what cannot be read by us, what can be read by others, and what
// is no log although it has the name of one.
func (in *Instance) judgeAccess(f *found, v *service.Verdict) {
	var unreadable, exposed, odd names
	for _, dir := range f.unreadable {
		unreadable.add(dir)
	}
	for _, name := range f.odd {
		odd.add(name)
	}
	for file := range f.each {
		if os.Geteuid() != 0 && unix.Faccessat(unix.AT_FDCWD, file.path(), unix.R_OK, unix.AT_EACCESS) != nil {
			unreadable.add(shown(file.path()))
		}
		if file.mode&0o004 != 0 {
			exposed.add(shown(file.path()))
		}
	}
	if unreadable.n > 0 {
		v.Unsure("unreadable", "", unreadable.args())
	}
	if odd.n > 0 {
		v.Warn("not-regular", "", odd.args())
	}
	if in.cfg.Secret && exposed.n > 0 {
		v.Crit("exposed", "", exposed.args())
	}
}

// each yields every file, the present ones and the rotated ones.
func (f *found) each(yield func(file) bool) {
	for _, l := range f.logs {
		if l.current != nil && !yield(*l.current) {
			return
		}
		for _, g := range l.generations {
			if !yield(g.file) {
				return
			}
		}
	}
}

// judgePresence remembers that there were files: none is a fault from then on.
func (in *Instance) judgePresence(ctx context.Context, f *found, v *service.Verdict) error {
	const key = "seen"
	if len(f.logs) > 0 {
		return in.remember(ctx, key, in.env.Now().Unix())
	}
	if len(f.unreadable) > 0 {
		return nil // which was said
	}
	var last int64
	if err := in.recall(ctx, key, &last); err != nil {
		return err
	}
	if last == 0 {
		v.Warn("no-match", "", service.Args{"paths": in.cfg.Paths, "instead": in.insides()})
	} else {
		v.Crit("vanished", "", service.Args{"paths": in.cfg.Paths, "ago": in.env.Now().Sub(time.Unix(last, 0)).Seconds()})
	}
	return nil
}

// insides are patterns for what lies in directories that are declared as if they were files.
func (in *Instance) insides() (patterns []string) {
	for _, path := range in.cfg.Paths {
		if info, err := os.Stat(glob.Absolute(in.env.Base, path)); err == nil && info.IsDir() {
			patterns = append(patterns, strings.TrimRight(path, "/")+"/*.log")
		}
	}
	return patterns
}

// judgeSizes says which file is the biggest, and which have outgrown their limit so
// far that nobody can be rotating them.
func (in *Instance) judgeSizes(f *found, v *service.Verdict) {
	var biggest file
	for file := range f.each {
		if file.Size > biggest.Size {
			biggest = file
		}
	}
	if biggest.Size > 0 {
		v.Set("biggest", shown(biggest.path()))
		v.Set("biggest_bytes", biggest.Size)
	}
	limit := int64(in.cfg.Rotate.Size)
	for _, l := range f.logs {
		if limit > 0 && l.current != nil && l.current.Size/2 >= limit {
			v.Warn("over-limit", shown(l.path()), service.Args{"size": l.current.Size, "limit": limit})
		}
	}
}

// judgeRotation says what is due and cannot be done, and which rotated files still
// grow.
func (in *Instance) judgeRotation(ctx context.Context, f *found, v *service.Verdict) error {
	if !in.cfg.Rotate.asked() && in.cfg.CompressAfter == 0 && in.cfg.DeleteAfter == 0 && in.cfg.Keep == 0 {
		return nil
	}
	h, err := in.holders(ctx, nodes(f.each))
	if err != nil {
		return fmt.Errorf("look who has files open: %w", err)
	}
	for _, s := range in.planned(f, h) {
		args := s.Title.Args
		switch s.Op {
		case opRefuse:
			v.Warn("rotation-refused", fmt.Sprint(args["path"]), args)
		case opReopen:
			v.Warn("still-written", fmt.Sprint(args["path"]), args)
		}
	}
	return nil
}

func who(holders []holder) []string {
	all := []string{}
	for _, h := range holders[:min(len(holders), mostNames)] {
		all = append(all, h.String())
	}
	return all
}

// recall reads what an earlier run kept; nothing leaves value as it is.
func (in *Instance) recall(ctx context.Context, key string, value any) error {
	text, err := in.env.State.Get(ctx, key)
	if err != nil || text == "" {
		return errors.Join(err, ctx.Err())
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return fmt.Errorf("read what was kept as %s: %w", key, err)
	}
	return nil
}

func (in *Instance) remember(ctx context.Context, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := in.env.State.Set(ctx, key, string(text)); err != nil {
		return fmt.Errorf("keep %s: %w", key, err)
	}
	return nil
}
