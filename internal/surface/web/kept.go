package web

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrReading is what a System says of something that takes longer to read than a page
// may wait. It is there soon.
var ErrReading = errors.New("still being read")

// kept is a value that takes long to read. It is read again when of, which names what it
// was made of, is another; one reading goes on at a time, and whoever waits too long gets
// what was there before.
type kept[T any] struct {
	mu      sync.Mutex
	reading chan struct{} // closed when a reading ends; nil = none goes on
	has     bool          // there is a value
	value   T
	err     error // of the last reading
	of      string
	at      time.Time // when that ended
}

// How long a value is believed although no run of ours has changed it, because another
// machine may share the repository; how long after an error it is not tried again; and how
// long a page waits.
const (
	keptFor    = 10 * time.Minute
	retryAfter = 30 * time.Second
	patience   = 200 * time.Millisecond
)

func (k *kept[T]) get(ctx context.Context, of string, now func() time.Time, read func() (T, error)) (T, error) {
	reading := k.begin(of, now, read)
	if reading != nil {
		wait := time.NewTimer(patience)
		defer wait.Stop()
		select {
		case <-reading:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	return k.now(of)
}

// begin starts a reading where one is needed, and returns what tells of its end.
func (k *kept[T]) begin(of string, now func() time.Time, read func() (T, error)) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	believed := keptFor
	if k.err != nil {
		believed = retryAfter
	}
	if k.reading != nil || k.of == of && now().Sub(k.at) < believed {
		return k.reading
	}
	k.reading = make(chan struct{})
	go func(ended chan struct{}) {
		value, err := read()
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.err, k.of, k.at, k.reading = err, of, now(), nil; err == nil {
			k.value, k.has = value, true
		}
		close(ended)
	}(k.reading)
	return k.reading
}

// now is the value as it stands.
func (k *kept[T]) now(of string) (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.of == of && k.err != nil:
		var none T
		return none, k.err
	case k.has:
		return k.value, nil
	}
	var none T
	return none, ErrReading
}
