package s3

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
)

const (
	// abandoned is the age from which an upload that was begun counts as given up.
	abandoned = 24 * time.Hour
	// uploadsLooked is how many uploads are looked at in a check, uploadsSized how many
	// of the abandoned ones are asked for their size.
	uploadsLooked = 1000
	uploadsSized  = 20
)

// uploads adds up the parts of uploads that nobody completed: they take space and
// are in no listing of objects. MinIO tells those begun since it was started and
// only without a prefix, so the declared prefix is applied here.
func (in *Instance) uploads(ctx context.Context, c *client, v *service.Verdict) error {
	listed, err := c.ListMultipartUploads(ctx, in.cfg.Bucket, "", "", "", "", uploadsLooked)
	if err != nil {
		return in.unsure(v, "multipart uploads", err)
	}
	var n, bytes int64
	var oldest time.Duration
	partial := listed.IsTruncated
	for _, upload := range listed.Uploads {
		age := in.env.Now().Sub(upload.Initiated)
		if age < abandoned || !strings.HasPrefix(upload.Key, in.cfg.Prefix) || in.cfg.excluded(upload.Key) {
			continue
		}
		oldest = max(oldest, age)
		if n++; n > uploadsSized {
			partial = true
			continue
		}
		size, whole, err := sizeOfUpload(ctx, c, in.cfg.Bucket, upload)
		if err != nil {
			return in.unsure(v, "multipart uploads", err)
		}
		bytes += size
		partial = partial || !whole
	}
	v.Set("abandoned_uploads", n)
	if n > 0 {
		v.Warn("uploads-abandoned", "", service.Args{"n": n, "bytes": bytes, "age": oldest.Seconds(),
			"partial": partial, "bucket": in.cfg.Bucket})
	}
	return nil
}

func sizeOfUpload(ctx context.Context, c *client, bucket string, u minio.ObjectMultipartInfo) (size int64, whole bool, err error) {
	parts, err := c.ListObjectParts(ctx, bucket, u.Key, u.UploadID, 0, uploadsLooked)
	if codeOf(err) == minio.NoSuchUpload {
		return 0, true, nil // completed meanwhile
	}
	if err != nil {
		return 0, false, fmt.Errorf("look at the upload of %q: %w", u.Key, err)
	}
	for _, part := range parts.ObjectParts {
		size += part.Size
	}
	return size, !parts.IsTruncated, nil
}
