package servicetest

import (
	"context"
	_ "embed"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"upkeep/internal/service"
)

//go:embed fake.yaml
var fakeText []byte

var fakeExample = []byte("# objects in memory, for tests\nfake: {kind: fake}\n")

// Bucket is a store of objects in memory, shaped like S3: many parts that are
// cheap to list, each with an identity, and dear to read. It counts how often one
// is opened. Its methods may be called side by side.
type Bucket struct {
	name    string
	mu      sync.Mutex
	objects map[string]object
	version int
	down    atomic.Bool
	opened  atomic.Int64
}

type object struct {
	content string
	etag    string
}

// NewBucket returns a bucket with n objects of a few bytes.
func NewBucket(n int) *Bucket {
	b := &Bucket{name: "bucket", objects: make(map[string]object, n)}
	for i := range n {
		b.Put(fmt.Sprintf("object-%06d", i), fmt.Sprintf("content %d", i))
	}
	return b
}

// Put stores an object under a new identity.
func (b *Bucket) Put(key, content string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
	b.objects[key] = object{content, fmt.Sprint("v", b.version)}
}

// Delete removes an object.
func (b *Bucket) Delete(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
}

// Opened is how many parts were opened so far.
func (b *Bucket) Opened() int64 { return b.opened.Load() }

// SetDown takes the bucket off the network or brings it back.
func (b *Bucket) SetDown(down bool) { b.down.Store(down) }

// Kind is a kind named "fake" whose every instance is the bucket. It offers all
// capabilities but care and switching, and has no configuration. A query is
// "names": name and size of every object.
func (b *Bucket) Kind() service.Kind {
	open := func(env service.Env, _ struct{}) (*fake, error) { return &fake{env: env, bucket: b}, nil }
	return service.Define("fake", open, fakeText, fakeExample)
}

var (
	_ service.Checker    = (*fake)(nil)
	_ service.Collector  = (*fake)(nil)
	_ service.Identifier = (*fake)(nil)
	_ service.Sizer      = (*fake)(nil)
	_ service.Source     = (*fake)(nil)
	_ service.Restorer   = (*fake)(nil)
	_ service.Driller    = (*fake)(nil)
	_ service.Verifier   = (*fake)(nil)
	_ service.Extractor  = (*fake)(nil)
	_ service.Lister     = (*fake)(nil)
	_ service.Queryer    = (*fake)(nil)
)

// fake is an instance over a bucket.
type fake struct {
	env    service.Env
	bucket *Bucket
	remove func() error // of a scratch
}

func (f *fake) Close() error {
	if f.remove == nil {
		return nil
	}
	return f.remove()
}

// reach fails while the bucket is down and when ctx has ended.
func (b *Bucket) reach(ctx context.Context) error {
	if b.down.Load() {
		return fmt.Errorf("reach %s: %w", b.name, service.ErrUnreachable)
	}
	return ctx.Err()
}

// keys returns all keys in order, the bytes of all contents, and a view of the
// objects that later changes do not touch.
func (b *Bucket) view() (keys []string, bytes int64, objects map[string]object) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.objects {
		bytes += int64(len(o.content))
	}
	return slices.Sorted(maps.Keys(b.objects)), bytes, maps.Clone(b.objects)
}

func (f *fake) Check(ctx context.Context) (v service.Verdict, err error) {
	if err := f.bucket.reach(ctx); err != nil {
		return v, err
	}
	keys, bytes, _ := f.bucket.view()
	v.Set("objects", len(keys))
	v.Set("size_bytes", bytes)
	if len(keys) == 0 {
		v.Warn("empty", "", nil)
	}
	return v, nil
}

func (f *fake) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	if err := f.bucket.reach(ctx); err != nil {
		return err
	}
	keys, _, _ := f.bucket.view()
	emit(&dto.MetricFamily{Name: proto.String("fake_objects"), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(float64(len(keys)))}}}})
	return nil
}

func (f *fake) Identity(ctx context.Context) (string, error) {
	return f.bucket.name, f.bucket.reach(ctx)
}

func (f *fake) Size(ctx context.Context) (int64, error) {
	_, bytes, _ := f.bucket.view()
	return bytes, f.bucket.reach(ctx)
}

func (f *fake) List(ctx context.Context, prefix string) iter.Seq2[service.Key, error] {
	return func(yield func(service.Key, error) bool) {
		keys, _, objects := f.bucket.view()
		for _, key := range keys {
			if err := f.bucket.reach(ctx); err != nil {
				yield(service.Key{}, err)
				return
			}
			if strings.HasPrefix(key, prefix) && !yield(service.Key{Name: key, Size: int64(len(objects[key].content))}, nil) {
				return
			}
		}
	}
}

func (f *fake) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		if statement != "names" {
			yield(service.Row{}, fmt.Errorf("query %q: %w", statement, service.ErrUnsupported))
			return
		}
		columns := []string{"name", "size"}
		for key, err := range f.List(ctx, "") {
			if !yield(service.Row{Columns: columns, Values: []any{key.Name, key.Size}}, err) || err != nil {
				return
			}
		}
	}
}

func (f *fake) Scratch(ctx context.Context, _ service.Copy, _ service.Report) (service.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, remove, err := f.env.Dir("fake")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", service.ErrNoScratch, err)
	}
	scratch := &Bucket{name: "scratch " + dir, objects: map[string]object{}}
	return &fake{env: f.env, bucket: scratch, remove: remove}, nil
}

func (f *fake) Sweep(context.Context) error { return removeAll(f.env, "fake") }

// selected reports whether a key is meant: its name, or a prefix and a star.
func selected(sel service.Selection, key string) bool {
	prefix, star := strings.CutSuffix(sel.Only, "*")
	return sel.All() || key == sel.Only || star && strings.HasPrefix(key, prefix)
}
