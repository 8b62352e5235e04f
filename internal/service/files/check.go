package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// census is what one walk counts. It reads no content.
type census struct {
	files, directories, links, bytes int64
	newest                           time.Time // of a regular file, not in the future; zero without one
	future                           sample
	exposed                          sample // files that others than their owner can read or write
	loose                            sample // links that a pattern matched: their targets are not declared by it
	gaps                             *gaps
}

// ahead is how far a file's time may be in front of the clock: writers on other
// machines are never quite in time.
const ahead = 2 * time.Minute

func (in *Instance) census(ctx context.Context) (c census, err error) {
	w := in.newWalk()
	c.gaps = w.gaps
	now, root := in.env.Now(), os.Geteuid() == 0
	err = w.each(ctx, func(e *entry) bool {
		c.count(e, now)
		if !root && e.isRegular() && unix.Faccessat(e.dir, e.base, unix.R_OK, unix.AT_EACCESS) != nil {
			c.gaps.add(unreadable, e.name)
		}
		return true
	})
	if err = errors.Join(err, w.close()); err != nil {
		return c, fmt.Errorf("look through the files: %w", err)
	}
	return c, nil
}

func (c *census) count(e *entry, now time.Time) {
	switch {
	case e.isDir():
		c.directories++
	case e.isLink():
		c.links++
		if e.matched {
			c.loose.add(e.name)
		}
	case e.isRegular():
		c.files++
		c.bytes += e.stat.Size
		if e.stat.Mode&0o066 != 0 {
			c.exposed.add(e.name)
		}
		c.date(e, now)
	}
}

func (c *census) date(e *entry, now time.Time) {
	written := time.Unix(e.stat.Mtim.Unix())
	if written.After(now.Add(ahead)) {
		c.future.add(e.name)
		return
	}
	if written.After(c.newest) {
		c.newest = written
	}
}

// Check judges whether everything declared is there, readable, closed to others
// where it is secret, and fresh.
func (in *Instance) Check(ctx context.Context) (service.Verdict, error) {
	var v service.Verdict
	c, err := in.census(ctx)
	if err != nil {
		return v, err
	}
	c.gaps.judge(&v, in.cfg.Required)
	if in.cfg.Secret && c.exposed.n > 0 {
		v.Crit("secret-exposed", "", c.exposed.args())
	}
	if c.loose.n > 0 {
		v.Warn("link-not-followed", "", c.loose.args())
	}
	in.judgeAge(&v, &c)
	v.Set("files", c.files)
	v.Set("directories", c.directories)
	v.Set("links", c.links)
	v.Set("size_bytes", c.bytes)
	if !c.newest.IsZero() {
		v.Set("newest", c.newest)
	}
	return v, nil
}

func (in *Instance) judgeAge(v *service.Verdict, c *census) {
	limit := in.cfg.MaxAge.Std()
	switch {
	case limit == 0:
		return
	case c.newest.IsZero():
		v.Warn("empty", "", nil)
	case in.env.Now().Sub(c.newest) > limit:
		v.Warn("stale", "", service.Args{"age": in.env.Now().Sub(c.newest).Seconds(), "limit": limit.Seconds()})
	}
	if c.future.n > 0 {
		v.Warn("future-times", "", c.future.args())
	}
}
