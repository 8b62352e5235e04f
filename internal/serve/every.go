package serve

import (
	"context"
	"time"
)

// every calls do at once and then in even steps until ctx ends. interval is asked each
// time: a reload may change it. A call that takes longer than a step skips those it
// missed.
func every(ctx context.Context, interval func() time.Duration, do func(context.Context)) {
	for next := time.Now(); ; {
		do(ctx)
		step := interval()
		next = next.Add(step)
		if late := time.Since(next); late > 0 {
			next = next.Add(late.Truncate(step) + step)
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
