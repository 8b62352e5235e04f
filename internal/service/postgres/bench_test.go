package postgres_test

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
)

// BenchmarkBackup reads a whole server, as a repository does, and throws the copy
// away: set UPKEEP_BENCH_POSTGRES to the URL of a server that may be read.
// Compare it with: time pg_dump -Fc DATABASE >/dev/null
func BenchmarkBackup(b *testing.B) {
	url := os.Getenv("UPKEEP_BENCH_POSTGRES")
	if url == "" {
		b.Skip("UPKEEP_BENCH_POSTGRES names no server")
	}
	cfg := postgres.Kind.NewConfig().(*postgres.Config)
	cfg.URL, cfg.Password = url, secret.Parse(os.Getenv("UPKEEP_BENCH_PASSWORD"))
	in, err := postgres.Kind.Open(servicetest.Env(b), cfg)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n, opened := discard(b, in.(service.Source))
		b.SetBytes(n)
		b.ReportMetric(opened.Seconds(), "s-to-open")
	}
}

func discard(b *testing.B, in service.Source) (total int64, opened time.Duration) {
	b.Helper()
	began := time.Now()
	snap, err := in.Snapshot(b.Context(), service.NoPrevious, service.Report{})
	if err != nil {
		b.Fatal(err)
	}
	opened = time.Since(began)
	defer func() { _ = snap.Close() }()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(4)
	sizes := make(chan int64, 100_000)
	for p, err := range snap.Parts(ctx) {
		if err != nil {
			b.Fatal(err)
		}
		group.Go(func() error {
			n, err := readAll(ctx, p)
			sizes <- n
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	close(sizes)
	for n := range sizes {
		total += n
	}
	if _, err := snap.Manifest(b.Context()); err != nil {
		b.Fatal(err)
	}
	return total, opened
}

func readAll(ctx context.Context, p service.Part) (int64, error) {
	r, err := p.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	return io.Copy(io.Discard, r)
}
