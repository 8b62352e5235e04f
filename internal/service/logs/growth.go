package logs

import (
	"context"
	"time"

	"upkeep/internal/service"
)

// How growth is measured: between two looks that are neither so near to each other
// that one burst decides nor so far that rotations hide it.
const (
	shortest = time.Minute
	renewed  = 10 * time.Minute
	// mostWatched bounds how many files are remembered.
	mostWatched = 1000
)

// sight is what a file was at an earlier check.
type sight struct {
	Ino  uint64 `json:"ino"`
	Size int64  `json:"size"`
	At   int64  `json:"at"` // Unix seconds
}

// judgeGrowth compares each file with what it was at an earlier check. One that was
// rotated meanwhile has grown by what it holds now, at least.
func (in *Instance) judgeGrowth(ctx context.Context, f *found, v *service.Verdict) error {
	limit := float64(in.cfg.Growth)
	if limit == 0 {
		return nil
	}
	const key = "sizes"
	before, now := map[string]sight{}, map[string]sight{}
	if err := in.recall(ctx, key, &before); err != nil {
		return err
	}
	at := in.env.Now().Unix()
	for _, l := range f.logs {
		if l.current == nil || len(now) == mostWatched {
			continue
		}
		name := shown(l.path())
		old, known := before[name]
		now[name] = old.renew(*l.current, at, known)
		if grown, ok := old.perHour(*l.current, at); known && ok && grown > limit {
			v.Warn("fast-growth", name, service.Args{"grown": int64(grown), "limit": int64(limit), "seen": float64(at - old.At)})
		}
	}
	return in.remember(ctx, key, now)
}

// perHour is the growth in bytes per hour, or false where the time between is too
// short to say or the clock was set back.
func (s sight) perHour(now file, at int64) (float64, bool) {
	passed := time.Duration(at-s.At) * time.Second
	if passed < shortest {
		return 0, false
	}
	grown := now.Size
	if now.Ino == s.Ino && now.Size >= s.Size {
		grown -= s.Size
	}
	return float64(grown) / passed.Hours(), true
}

func (s sight) renew(now file, at int64, known bool) sight {
	if age := time.Duration(at-s.At) * time.Second; known && age >= 0 && age < renewed {
		return s
	}
	return sight{Ino: now.Ino, Size: now.Size, At: at}
}
