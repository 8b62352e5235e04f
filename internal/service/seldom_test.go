package service_test

import (
	"errors"
	"testing"
	"time"

	"upkeep/internal/service"
)

func TestWhatCostsMuchIsMeasuredSeldom(t *testing.T) {
	clock := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	now := func() time.Time { return clock }
	var s service.Seldom[int]
	n, broken := 0, error(nil)
	get := func() int {
		got, _, err := s.Get(now, func() (int, error) { n++; clock = clock.Add(2 * time.Second); return n, broken })
		if err != nil {
			return -1
		}
		return got
	}
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 1}, {99 * time.Second, 1}, {2 * time.Second, 2}, {-time.Hour, 3}} {
		if clock = clock.Add(step.wait); get() != step.want {
			t.Errorf("after %s it was measured %d times, want %d", step.wait, n, step.want)
		}
	}
	clock, broken = clock.Add(time.Hour), errors.New("gone")
	if first, second := get(), get(); first != -1 || second != -1 || n != 5 {
		t.Errorf("a failure was kept: measured %d times", n)
	}
}
