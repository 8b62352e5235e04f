package s3

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
)

// List lists the current objects. What is excluded by the declaration is left out.
func (in *Instance) List(ctx context.Context, prefix string) iter.Seq2[service.Key, error] {
	return func(yield func(service.Key, error) bool) {
		c, err := in.connect(ctx)
		if err != nil {
			yield(service.Key{}, err)
			return
		}
		options := minio.ListObjectsOptions{Prefix: narrower(in.cfg.Prefix, prefix), Recursive: true}
		for info := range c.ListObjectsIter(ctx, in.cfg.Bucket, options) {
			if info.Err != nil {
				yield(service.Key{}, fmt.Errorf("list %s: %w", in.cfg.Bucket, explain(info.Err)))
				return
			}
			if in.cfg.excluded(info.Key) || !strings.HasPrefix(info.Key, prefix) || !strings.HasPrefix(info.Key, in.cfg.Prefix) {
				continue
			}
			if !yield(service.Key{Name: info.Key, Size: info.Size}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(service.Key{}, fmt.Errorf("list %s: %w", in.cfg.Bucket, explain(err)))
		}
	}
}

// narrower is the longer of two prefixes. Where neither begins with the other no key
// fits both, and whoever lists drops what does not fit.
func narrower(a, b string) string {
	if len(a) > len(b) {
		return a
	}
	return b
}
