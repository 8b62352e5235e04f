package dataset

import "context"

// locked keeps the writers of a table out until release is called. No declaration names
// locks that they respect yet, so what else writes is only found by comparing the file.
func (in *Instance) locked(context.Context, string) (release func() error, err error) {
	return func() error { return nil }, nil
}
