package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
)

// put writes one version as it is in the copy.
func (w *restoration) put(ctx context.Context, o *object) error {
	if o.marker {
		if err := w.client.RemoveObject(ctx, w.in.cfg.Bucket, o.key, minio.RemoveObjectOptions{}); err != nil {
			return fmt.Errorf("mark %q as deleted: %w", o.key, explain(err))
		}
		return nil
	}
	content, err := guarded(ctx, o)
	if err != nil {
		return err
	}
	_, err = w.client.Client.PutObject(ctx, w.in.cfg.Bucket, o.key, content, o.size, w.options(o))
	if err != nil && content.damage != nil {
		err = content.damage // what the library makes of it says less
	} else {
		err = explain(err)
	}
	if err = errors.Join(err, content.Close()); err != nil {
		return fmt.Errorf("put %q: %w", o.key, err)
	}
	w.progress(o.size)
	return nil
}

func (w *restoration) options(o *object) minio.PutObjectOptions {
	p := minio.PutObjectOptions{UserMetadata: map[string]string{}, UserTags: map[string]string{}, StorageClass: w.class(o)}
	for name, value := range restorable(o.attrs, w.in.env.Now()) {
		switch name {
		case headerPrefix + "content-type":
			p.ContentType = value
		case headerPrefix + "content-encoding":
			p.ContentEncoding = value
		case headerPrefix + "content-disposition":
			p.ContentDisposition = value
		case headerPrefix + "content-language":
			p.ContentLanguage = value
		case headerPrefix + "cache-control":
			p.CacheControl = value
		case headerPrefix + "expires":
			p.Expires, _ = http.ParseTime(value) // what is no time cannot be put back; verify finds it
		case headerPrefix + "x-amz-website-redirect-location":
			p.WebsiteRedirectLocation = value
		case attrHold:
			p.LegalHold = minio.LegalHoldEnabled
		case attrLockMode:
			p.Mode = minio.RetentionMode(value)
		case attrLockTill:
			p.RetainUntilDate, _ = time.Parse(time.RFC3339, value) // restorable has read it
		}
		if meta, is := strings.CutPrefix(name, metaPrefix); is {
			p.UserMetadata["x-amz-meta-"+meta] = value
		}
		if tag, is := strings.CutPrefix(name, tagPrefix); is {
			p.UserTags[tag] = value
		}
	}
	return p
}

// class is the copied storage class where the target may know it. MinIO has two.
func (w *restoration) class(o *object) string {
	class := o.attrs[attrClass]
	if class == "STANDARD" || w.client.minio.Load() && class != "REDUCED_REDUNDANCY" {
		return ""
	}
	return class
}

// guard reads a content of the copy and ends with an error instead of its end when
// it is not what was stored, so that a damaged content never completes an upload.
type guard struct {
	content io.ReadCloser
	sum     hash.Hash
	object  *object
	n       int64
	damage  error
}

func guarded(ctx context.Context, o *object) (*guard, error) {
	content, err := o.part.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %q of the copy: %w", o.name, err)
	}
	return &guard{content: content, sum: sha256.New(), object: o}, nil
}

// Read gives the last byte only after the whole is found to be right: who knows the
// length does not ask for the end.
func (g *guard) Read(p []byte) (int, error) {
	if g.damage != nil {
		return 0, g.damage
	}
	n, err := g.content.Read(p)
	g.sum.Write(p[:n]) // never fails
	g.n += int64(n)
	if g.n >= g.object.size || errors.Is(err, io.EOF) {
		if g.damage = g.judge(); g.damage != nil {
			return 0, g.damage
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		g.damage = fmt.Errorf("read %q of the copy: %w", g.object.name, err)
		return n, g.damage
	}
	return n, err
}

func (g *guard) judge() error {
	want := g.object.part.SHA256
	if g.n == g.object.size && (want == "" || hex.EncodeToString(g.sum.Sum(nil)) == want) {
		return nil
	}
	return fmt.Errorf("the copy of %q is not what was stored: %w", g.object.name, service.ErrDamaged)
}

func (g *guard) Close() error { return g.content.Close() }

// digestContent is the SHA-256 of a content.
func digestContent(open func() (io.ReadCloser, error)) (string, error) {
	content, err := open()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, content)
	if err = errors.Join(err, content.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// promisedDigest is that of the stored content.
func promisedDigest(ctx context.Context, o *object) (string, error) {
	if o.part.SHA256 != "" {
		return o.part.SHA256, nil
	}
	return digestContent(func() (io.ReadCloser, error) { return o.part.Open(ctx) })
}

// read opens an object of the bucket.
func (in *Instance) read(ctx context.Context, c *client, o *object) (io.ReadCloser, error) {
	options := minio.GetObjectOptions{VersionID: o.version}
	if o.etag != "" {
		if err := options.SetMatchETag(o.etag); err != nil {
			return nil, fmt.Errorf("read %q: %w", o.key, err)
		}
	}
	content, _, _, err := c.GetObject(ctx, in.cfg.Bucket, o.key, options)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", o.key, explain(err))
	}
	return content, nil
}
