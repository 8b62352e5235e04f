package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"upkeep/internal/engine"
	"upkeep/internal/service"
)

// TestTurnsComeByPriority lets three wait behind one, each in an engine of its own as
// in processes of their own.
func TestTurnsComeByPriority(t *testing.T) {
	b, err := openBench(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q := engine.Queue{System: "s", Name: "heavy", Concurrency: 1}
	leave, err := b.Enter(t.Context(), q, 0, "first", func(ahead string) { t.Errorf("the first waits for %s", ahead) })
	if err != nil {
		t.Fatal(err)
	}
	turns := make(chan string, 3)
	for i, priority := range []int{-1, 0, 7} {
		name, waits := []string{"low", "plain", "high"}[i], make(chan string, 1)
		go func() {
			give, err := b.Enter(t.Context(), q, priority, name, func(ahead string) { waits <- ahead })
			if err != nil {
				t.Error(err)
				return
			}
			turns <- name
			give()
		}()
		if ahead := <-waits; ahead != "first" {
			t.Errorf("%s waits for %s", name, ahead)
		}
	}
	leave()
	if got := []string{<-turns, <-turns, <-turns}; !slices.Equal(got, []string{"high", "plain", "low"}) {
		t.Errorf("turns came in the order %v", got)
	}
}

func TestWhoDoesNotGetATurnInTimeIsRefused(t *testing.T) {
	b, err := openBench(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q := engine.Queue{System: "s", Name: "heavy", Concurrency: 1, Wait: 50 * time.Millisecond}
	nobody := func(string) {}
	leave, err := b.Enter(t.Context(), q, 0, "first", nobody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enter(t.Context(), q, 9, "second", nobody); !errors.Is(err, service.ErrBusy) {
		t.Errorf("the second got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Enter(ended, q, 9, "third", nobody); !errors.Is(err, context.Canceled) {
		t.Errorf("one that was interrupted got %v", err)
	}
	other := q
	other.System = "t"
	if elsewhere, err := b.Enter(t.Context(), other, 0, "fourth", nobody); err != nil {
		t.Errorf("a queue of another system: %v", err)
	} else {
		elsewhere()
	}
	leave()
	if again, err := b.Enter(t.Context(), q, 0, "fifth", nobody); err != nil {
		t.Errorf("the place was not given back: %v", err)
	} else {
		again()
	}
}
