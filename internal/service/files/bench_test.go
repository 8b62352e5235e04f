package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// results makes a tree like that of a benchmark's results store: 12,400 files of
// 887 MB in all, most of them small.
func results(b *testing.B, root string) {
	random := rand.NewChaCha8([32]byte{1})
	block := make([]byte, 4<<20)
	for i := range 12_400 {
		size := 20 << 10
		if i%20 == 0 {
			size = 1_050_000
		}
		_, err := random.Read(block[:size])
		must(b, err)
		path := filepath.Join(root, fmt.Sprint(i%40), fmt.Sprint(i%310), fmt.Sprintf("result-%05d.json", i))
		must(b, os.MkdirAll(filepath.Dir(path), 0o755))
		must(b, os.WriteFile(path, block[:size], 0o600))
	}
}

func BenchmarkSnapshot(b *testing.B) {
	env := servicetest.Env(b)
	results(b, filepath.Join(env.Base, "data"))
	in := target(b, env, nil, "data")
	for _, reading := range []bool{false, true} {
		name := map[bool]string{false: "list", true: "read"}[reading]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bytes, err := pass(b.Context(), in, reading)
				must(b, err)
				b.SetBytes(bytes)
			}
			var usage syscall.Rusage
			must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
			b.ReportMetric(float64(usage.Maxrss)/1024, "MB-peak")
		})
	}
}

// pass lists and, if wanted, reads everything with as many readers as there are
// processors.
func pass(ctx context.Context, in service.Source, reading bool) (bytes int64, err error) {
	snap, err := in.Snapshot(ctx, service.NoPrevious, service.Report{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	group, ctx := errgroup.WithContext(ctx)
	parts := make(chan service.Part, 64)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error { return readAll(ctx, parts) })
	}
	for p, err := range snap.Parts(ctx) {
		if err != nil {
			return 0, err
		}
		bytes += p.Size
		if reading && p.Open != nil {
			parts <- p
		}
	}
	close(parts)
	return bytes, group.Wait()
}

func readAll(ctx context.Context, parts <-chan service.Part) error {
	buf := make([]byte, 64<<10)
	for p := range parts {
		r, err := p.Open(ctx)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return nil
}

func TestManySmallFilesNeedLittleMemory(t *testing.T) {
	env := servicetest.Env(t)
	for i := range 20_000 {
		if i%500 == 0 {
			must(t, os.MkdirAll(filepath.Join(env.Base, "data", fmt.Sprint(i/500)), 0o755))
		}
		must(t, os.WriteFile(filepath.Join(env.Base, "data", fmt.Sprint(i/500), fmt.Sprint(i)), nil, 0o600))
	}
	in := target(t, env, nil, "data")
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	defer snap.Close()
	var m runtime.MemStats
	n, most := 0, uint64(0)
	runtime.GC()
	runtime.ReadMemStats(&m)
	start := m.HeapAlloc
	for _, err := range snap.Parts(t.Context()) {
		must(t, err)
		if n++; n%2000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if n != 20_041 || most > start+4<<20 {
		t.Errorf("%d parts, %d bytes of memory more than before", n, int64(most)-int64(start))
	}
}
