package host

import (
	"context"
	"slices"
	"time"

	"upkeep/internal/service"
)

// How a mount's past is kept: enough to tell a month's growth from a day's.
const (
	observeEvery = 6 * time.Hour
	historyKept  = 30 * 24 * time.Hour
	historyLeast = 48 * time.Hour // a shorter past says nothing about days to come
	// cleanUp is the share of a file system by which its use falls when somebody made
	// room: how it grew before says nothing about how it grows since.
	cleanUp = 0.05
)

// history is what was used of one mount over time, oldest first.
type history []observation

type observation struct {
	At   int64 `json:"at"`   // Unix seconds
	Used int64 `json:"used"` // bytes
}

// histories are those of all mounts ever judged, by mount point.
type histories map[string]history

// recallGrowth reads the histories and drops what is too old to count.
func (in *Instance) recallGrowth(ctx context.Context) (histories, error) {
	kept := histories{}
	if _, err := in.recall(ctx, "space", &kept); err != nil {
		return nil, err
	}
	oldest := in.env.Now().Add(-historyKept).Unix()
	for mount, past := range kept {
		kept[mount] = slices.DeleteFunc(past, func(o observation) bool { return o.At < oldest })
		if len(kept[mount]) == 0 {
			delete(kept, mount)
		}
	}
	return kept, nil
}

// observe adds what is used now, thinned out.
func (h histories) observe(mount string, now time.Time, used, size int64) {
	past := h[mount]
	if n := len(past); n > 0 {
		switch last := past[n-1]; {
		case now.Unix() < last.At, float64(last.Used-used) > cleanUp*float64(size):
			past = nil // the clock was set back, or room was made
		case now.Unix()-last.At < int64(observeEvery.Seconds()):
			return
		}
	}
	h[mount] = append(past, observation{At: now.Unix(), Used: used})
}

// perSecond is the growth in bytes: the median of the slopes between any two
// observations (Sen 1968), which single peaks do not bend. It is false while the
// past is too short to say.
func (past history) perSecond() (float64, bool) {
	if n := len(past); n == 0 || past[n-1].At-past[0].At < int64(historyLeast.Seconds()) {
		return 0, false
	}
	var slopes []float64
	for i, a := range past {
		for _, b := range past[i+1:] {
			slopes = append(slopes, float64(b.Used-a.Used)/float64(b.At-a.At))
		}
	}
	slices.Sort(slopes)
	middle := len(slopes) / 2
	if len(slopes)%2 == 1 {
		return slopes[middle], true
	}
	return (slopes[middle-1] + slopes[middle]) / 2, true
}

// judgeGrowth says when a mount will be full if it goes on growing as it did.
func (in *Instance) judgeGrowth(past history, mount string, free int64, v *service.Verdict, facts map[string]any) {
	growth, known := past.perSecond()
	if !known {
		return
	}
	const day = 24 * 60 * 60
	facts["growth_bytes_per_day"] = int64(growth * day)
	if growth <= 0 {
		return
	}
	left := float64(free) / growth
	facts["full_in_days"] = left / day
	if left < in.cfg.FullWithin.Std().Seconds() {
		v.Warn("disk-filling", mount, service.Args{"mount": mount, "left": left, "free": free,
			"growth": int64(growth * day), "seen": float64(past[len(past)-1].At - past[0].At)})
	}
}
