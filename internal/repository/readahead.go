package repository

import "iter"

// Values are handed over in batches: one by one, waking the other side would cost
// more than reading them.
const (
	batchSize    = 128
	batchesAhead = 4 // at most batchSize × (batchesAhead + 2) values are held
)

type batch[T any] struct {
	values []T
	err    error // came after the values
}

// readAhead runs a sequence beside whoever takes its values, up to its end or its
// first error. next is false at the end; stop ends the sequence and waits for it.
func readAhead[T any](values iter.Seq2[T, error]) (next func() (T, error, bool), stop func()) {
	batches, quit := make(chan batch[T], batchesAhead), make(chan struct{})
	go func() {
		defer close(batches)
		fill(values, batches, quit)
	}()
	var current batch[T]
	next = func() (value T, err error, more bool) {
		for len(current.values) == 0 && current.err == nil {
			if current, more = <-batches; !more {
				return value, nil, false
			}
		}
		if len(current.values) == 0 {
			return value, current.err, true
		}
		value, current.values = current.values[0], current.values[1:]
		return value, nil, true
	}
	stop = func() {
		close(quit)
		for range batches {
		}
	}
	return next, stop
}

// fill sends full batches, and at the end what is left.
func fill[T any](values iter.Seq2[T, error], batches chan<- batch[T], quit <-chan struct{}) {
	current := batch[T]{values: make([]T, 0, batchSize)}
	for value, err := range values {
		if err != nil {
			current.err = err
			break
		}
		current.values = append(current.values, value)
		if len(current.values) == batchSize {
			if !hand(current, batches, quit) {
				return
			}
			current = batch[T]{values: make([]T, 0, batchSize)}
		}
	}
	hand(current, batches, quit)
}

func hand[T any](b batch[T], batches chan<- batch[T], quit <-chan struct{}) bool {
	select {
	case batches <- b:
		return true
	case <-quit:
		return false
	}
}
