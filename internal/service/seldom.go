package service

import (
	"sync"
	"time"
)

// restShare is how many times as long as it took a measurement stands: at most a fiftieth of
// the time goes into measuring.
const restShare = 50

// Seldom keeps a measurement that costs much, such as a walk through a tree, while samples are
// taken every few seconds. The zero value is ready.
type Seldom[T any] struct {
	mu    sync.Mutex
	value T
	at    time.Time // before it was measured; zero = never
	until time.Time
}

// Get measures, or gives what was measured last while that stands, and since when it does. One
// that fails is not kept.
func (s *Seldom[T]) Get(now func() time.Time, measure func() (T, error)) (T, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := now()
	if !s.at.IsZero() && began.Before(s.until) && !began.Before(s.at) {
		return s.value, s.at, nil
	}
	value, err := measure()
	if err != nil {
		s.at = time.Time{}
		return value, began, err
	}
	took := now().Sub(began)
	s.value, s.at, s.until = value, began, now().Add(restShare*took)
	return value, began, nil
}
