package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
)

// Snapshot lists the bucket and reads objects as they are asked for. A version is
// immutable, so a bucket that keeps versions is copied as it was listed; without
// versions an object that is overwritten meanwhile is read as it is then.
func (in *Instance) Snapshot(ctx context.Context, prev service.Previous, _ service.Report) (service.Snapshot, error) {
	c, err := in.connect(ctx)
	if err != nil {
		return nil, err
	}
	b, gone, err := in.known(ctx, c)
	if err != nil {
		return nil, err
	}
	if gone {
		return nil, in.goneFault()
	}
	s := &snapshot{in: in, client: c, bucket: b, prev: prev, taken: in.env.Now(), tally: newTally()}
	if b.there {
		s.locked, err = in.hasObjectLock(ctx, c)
	}
	return s, err
}

// hasObjectLock is false where the server knows no locks or may not tell us: then a
// bucket that a restore makes anew has none.
func (in *Instance) hasObjectLock(ctx context.Context, c *client) (bool, error) {
	status, _, _, _, err := c.GetObjectLockConfig(ctx, in.cfg.Bucket)
	switch err = explain(err); {
	case codeOf(err) == "ObjectLockConfigurationNotFoundError", errors.Is(err, service.ErrUnsupported), errors.Is(err, service.ErrDenied):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask for the locks of %s: %w", in.cfg.Bucket, err)
	}
	return status == "Enabled", nil
}

type snapshot struct {
	in     *Instance
	client *client
	bucket bucket
	prev   service.Previous
	taken  time.Time
	locked bool
	tally  *tally
	above  ancestors
	unfit  int64 // keys that MinIO would not take

	mu                           sync.Mutex
	vanished, changed, forbidden sample
}

// Parts lists once.
func (s *snapshot) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		if !s.bucket.there {
			return // nothing was uploaded yet
		}
		prev, err := s.previous(ctx)
		if err != nil {
			yield(service.Part{}, err)
			return
		}
		for o, err := range s.in.described(ctx, s.client, s.objects(ctx), prev, s.gone) {
			if err != nil {
				yield(service.Part{}, err)
				return
			}
			if !yield(s.part(o), nil) {
				return
			}
		}
	}
}

// previous is needed only where a listing does not tell metadata.
func (s *snapshot) previous(ctx context.Context) (service.Copy, error) {
	if s.client.minio.Load() {
		return nil, nil
	}
	prev, err := s.prev(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the previous copy: %w", err)
	}
	return prev, nil
}

// objects flattens the chains.
func (s *snapshot) objects(ctx context.Context) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		for one, err := range s.in.list(ctx, s.client, s.in.history(s.bucket)) {
			if err != nil {
				yield(object{}, err)
				return
			}
			for _, o := range one.objects {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

func (s *snapshot) part(o object) service.Part {
	s.tally.add(&o)
	s.fit(&o)
	p := service.Part{Name: o.name, Attrs: o.partAttrs()}
	if !o.marker {
		r := &reading{snap: s, object: o}
		p.Size, p.Identity, p.Open = o.size, o.contentIdentity(), r.open
	}
	return p
}

// fit counts keys that a MinIO would refuse, or take and never list: those below
// another object.
func (s *snapshot) fit(o *object) {
	if !o.current() {
		return
	}
	if s.above.hold(o.key) || !fitsMinIO(o.key) {
		s.unfit++
	}
	s.above.add(o.key)
}

// gone notes an object that went away between the listing and the question for its
// metadata.
func (s *snapshot) gone(o object) { s.note(&s.vanished, &o) }

func (s *snapshot) note(to *sample, o *object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to.add(o.key)
}

// Manifest counts what was listed, less what could not be read.
func (s *snapshot) Manifest(context.Context) (service.Manifest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := service.Manifest{Taken: s.taken, Until: s.in.env.Now(), Version: s.server(), Identity: s.in.identity(), Counts: s.tally.counts(),
		Entries: s.tally.list(), Attrs: s.attrs()}
	var v service.Verdict
	if s.vanished.n > 0 {
		v.Warn("vanished", "", s.vanished.args())
	}
	if s.changed.n > 0 {
		v.Warn("changed", "", s.changed.args())
	}
	if s.forbidden.n > 0 {
		v.Crit("unreadable", "", s.forbidden.args())
	}
	m.Findings = v.Findings
	return m, nil
}

func (s *snapshot) attrs() map[string]string {
	all := map[string]string{attrBucket: s.in.cfg.Bucket, attrVersioning: s.bucket.versioning,
		attrAwkward: strconv.FormatInt(s.unfit, 10)}
	if !s.bucket.there {
		all[attrBucket] = absent
	}
	if s.locked {
		all[attrObjectLock] = "yes"
	}
	return all
}

// server is all that S3 says about what answers.
func (s *snapshot) server() string {
	if s.client.minio.Load() {
		return "MinIO"
	}
	return "S3"
}

// Close has nothing to release: whoever opened a part closes it.
func (s *snapshot) Close() error { return nil }

// reading opens the content of one object, maybe several times.
type reading struct {
	snap   *snapshot
	mu     sync.Mutex
	object object
	again  bool // it was found changed: take what is there now
}

func (r *reading) open(ctx context.Context) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := &r.object
	options := minio.GetObjectOptions{VersionID: o.version}
	if o.etag != "" && !r.again {
		if err := options.SetMatchETag(o.etag); err != nil {
			return nil, fmt.Errorf("read %q: %w", o.key, err)
		}
	}
	content, info, _, err := r.snap.client.GetObject(ctx, r.snap.in.cfg.Bucket, o.key, options)
	if err != nil {
		return nil, r.failed(err)
	}
	if r.again && (info.Size != o.size || info.ETag != o.etag) {
		r.snap.note(&r.snap.changed, o)
		r.snap.tally.resize(o, info.Size)
	}
	return &steady{ctx: ctx, reading: r, content: content, left: info.Size, etag: info.ETag}, nil
}

// failed sorts why an object cannot be had. What holds for one object only leaves it
// out of the copy.
func (r *reading) failed(err error) error {
	err = fmt.Errorf("read %q: %w", r.object.key, explain(err))
	switch code := codeOf(err); {
	case errors.Is(err, service.ErrChanged):
		r.again = true
		return err
	case code == minio.NoSuchKey, code == minio.NoSuchVersion:
		r.leaveOut(&r.snap.vanished)
		return err
	case code == minio.AccessDenied, code == minio.InvalidObjectState, code == "InvalidRequest":
		r.leaveOut(&r.snap.forbidden)
		return fmt.Errorf("%w: %w", err, service.ErrNotFound)
	}
	return err
}

func (r *reading) leaveOut(why *sample) {
	r.snap.tally.remove(&r.object)
	r.snap.note(why, &r.object)
}

// steady reads to the promised end. One that comes too early is explained by asking
// whether the object is still the same.
type steady struct {
	ctx     context.Context // of the one call that reads
	reading *reading
	content io.ReadCloser
	left    int64
	etag    string
}

func (s *steady) Read(p []byte) (int, error) {
	n, err := s.content.Read(p)
	s.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && s.left == 0:
		return n, io.EOF
	}
	return n, s.broken(err)
}

func (s *steady) broken(cause error) error {
	if err := s.ctx.Err(); err != nil {
		return explain(err)
	}
	r := s.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	o := &r.object
	info, err := r.snap.client.StatObject(s.ctx, r.snap.in.cfg.Bucket, o.key, minio.StatObjectOptions{VersionID: o.version})
	switch {
	case err != nil:
		return r.failed(err)
	case info.ETag != s.etag:
		r.again = true
		return fmt.Errorf("read %q: %w", o.key, service.ErrChanged)
	}
	return fmt.Errorf("the content of %q broke off %d bytes before its end: %w: %w", o.key, s.left, cause, service.ErrUnreachable)
}

func (s *steady) Close() error { return s.content.Close() }
