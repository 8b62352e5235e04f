package files

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"upkeep/internal/service"
)

// List gives the declared regular files by their absolute paths, with their sizes.
// What cannot be looked into is an error at the end: a list with holes would make
// rows look wrong that are right.
func (in *Instance) List(ctx context.Context, prefix string) iter.Seq2[service.Key, error] {
	return func(yield func(service.Key, error) bool) {
		w, stopped := in.newWalk(), false
		err := w.each(ctx, func(e *entry) bool {
			name := "/" + e.name
			if e.isRegular() && strings.HasPrefix(name, prefix) {
				stopped = !yield(service.Key{Name: name, Size: e.stat.Size}, nil)
			}
			return !stopped
		})
		if n := w.gaps.count(unreadable); err == nil && n > 0 {
			err = fmt.Errorf("%d of them cannot be looked into: %w", n, service.ErrDenied)
		}
		if err = errors.Join(err, w.close()); err != nil && !stopped {
			yield(service.Key{}, fmt.Errorf("list files: %w", err))
		}
	}
}
