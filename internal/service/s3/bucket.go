package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
)

// stateSeen is set once the bucket was there: from then on its absence is a fault.
const stateSeen = "seen"

// bucket is what can be told about the declared bucket with two small requests.
type bucket struct {
	there      bool
	versioning string // Enabled, Suspended or empty for never
}

// history reports whether earlier versions are to be listed.
func (in *Instance) history(b bucket) bool { return in.cfg.Versions && b.versioning != "" }

// look asks for one key, which shows at once whether we may log in and list, and for
// the state of versioning.
func (in *Instance) look(ctx context.Context, c *client) (b bucket, err error) {
	if b.there, err = in.answers(ctx, c); err != nil || !b.there {
		return b, err
	}
	if !in.cfg.Versions {
		return b, nil
	}
	config, err := c.GetBucketVersioning(ctx, in.cfg.Bucket)
	switch err = explain(err); {
	case errors.Is(err, service.ErrUnsupported):
		return b, nil // a store without versions
	case err != nil:
		return b, fmt.Errorf("ask for the versioning of %s: %w", in.cfg.Bucket, err)
	}
	b.versioning = config.Status
	return b, nil
}

func (in *Instance) answers(ctx context.Context, c *client) (there bool, err error) {
	for info := range c.ListObjectsIter(ctx, in.cfg.Bucket, minio.ListObjectsOptions{MaxKeys: 1, Recursive: true, Prefix: in.cfg.Prefix}) {
		if codeOf(info.Err) == minio.NoSuchBucket {
			return false, nil
		}
		if info.Err != nil {
			return false, fmt.Errorf("ask %s for %s: %w", in.cfg.Endpoint, in.cfg.Bucket, explain(info.Err))
		}
		break
	}
	if err := ctx.Err(); err != nil { // the library ends without an error
		return false, fmt.Errorf("ask %s: %w", in.cfg.Endpoint, explain(err))
	}
	return true, nil
}

// known looks at the bucket and remembers that it was there. One that is gone is
// told from one that nobody has made yet.
func (in *Instance) known(ctx context.Context, c *client) (b bucket, gone bool, err error) {
	if b, err = in.look(ctx, c); err != nil {
		return b, false, err
	}
	seen, err := in.env.State.Get(ctx, stateSeen)
	if err != nil {
		return b, false, fmt.Errorf("recall whether the bucket was there: %w", err)
	}
	if b.there && seen != in.identity() {
		if err := in.env.State.Set(ctx, stateSeen, in.identity()); err != nil {
			return b, false, fmt.Errorf("remember that the bucket was there: %w", err)
		}
	}
	return b, !b.there && seen == in.identity(), nil
}

func (in *Instance) goneFault() error {
	return &service.Fault{ID: "s3.bucket-was-there", Args: service.Args{"bucket": in.cfg.Bucket, "endpoint": in.cfg.Endpoint},
		Err: fmt.Errorf("bucket %s was there and is gone: %w", in.cfg.Bucket, service.ErrNotFound)}
}
