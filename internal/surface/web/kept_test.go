package web

import (
	"errors"
	"testing"
	"time"
)

func TestWhatTakesLongIsReadOnceAndKept(t *testing.T) {
	var k kept[int]
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	free, reads := make(chan struct{}), 0
	slow := func() (int, error) { reads++; <-free; return reads, nil }
	if _, err := k.get(t.Context(), "a", clock, slow); !errors.Is(err, ErrReading) {
		t.Fatalf("before it was read: %v", err)
	}
	first := k.begin("a", clock, slow)
	close(free)
	<-first
	want := func(what, of string, value int, read func() (int, error)) {
		t.Helper()
		if got, err := k.get(t.Context(), of, clock, read); got != value || err != nil {
			t.Errorf("%s: %d, %v, want %d", what, got, err, value)
		}
	}
	want("kept", "a", 1, slow)
	want("of newer runs", "b", 2, slow)
	now = now.Add(keptFor)
	want("after a while", "b", 3, slow)
	free = make(chan struct{})
	want("what was there before, while it is read", "c", 3, slow)
	second := k.begin("c", clock, slow)
	close(free)
	<-second
	want("then what is new", "c", 4, slow)

	broken := errors.New("gone")
	fails := func() (int, error) { reads++; return 0, broken }
	for range 2 {
		if _, err := k.get(t.Context(), "d", clock, fails); !errors.Is(err, broken) {
			t.Errorf("after a failure: %v", err)
		}
	}
	if reads != 5 {
		t.Errorf("%d readings, want one that failed", reads)
	}
	now = now.Add(retryAfter)
	want("when it is back", "d", 6, slow)
}
