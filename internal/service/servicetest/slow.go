package servicetest

import (
	"archive/tar"
	"context"
	"io"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

// Slow is a kind named "slow": every method waits until its context ends and
// returns the context's error. Only Close returns at once.
func Slow() service.Kind {
	open := func(service.Env, struct{}) (*slow, error) { return &slow{}, nil }
	return service.Define("slow", open, fakeText, []byte("# never answers, for tests\nslow: {kind: slow}\n"))
}

type slow struct{}

var (
	_ service.Checker    = (*slow)(nil)
	_ service.Collector  = (*slow)(nil)
	_ service.Identifier = (*slow)(nil)
	_ service.Sizer      = (*slow)(nil)
	_ service.Source     = (*slow)(nil)
	_ service.Restorer   = (*slow)(nil)
	_ service.Driller    = (*slow)(nil)
	_ service.Verifier   = (*slow)(nil)
	_ service.Extractor  = (*slow)(nil)
)

func wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (*slow) Close() error { return nil }

func (*slow) Check(ctx context.Context) (service.Verdict, error) {
	return service.Verdict{}, wait(ctx)
}

func (*slow) Collect(ctx context.Context, _ func(*dto.MetricFamily)) error { return wait(ctx) }

func (*slow) Identity(ctx context.Context) (string, error) { return "", wait(ctx) }

func (*slow) Size(ctx context.Context) (int64, error) { return 0, wait(ctx) }

func (*slow) Snapshot(ctx context.Context, _ service.Previous, _ service.Report) (service.Snapshot, error) {
	return nil, wait(ctx)
}

func (*slow) Restore(ctx context.Context, _ service.Copy, _ service.Selection, _ service.Report) error {
	return wait(ctx)
}

func (*slow) Scratch(ctx context.Context, _ service.Copy, _ service.Report) (service.Instance, error) {
	return nil, wait(ctx)
}

func (*slow) Sweep(ctx context.Context) error { return wait(ctx) }

func (*slow) Verify(ctx context.Context, _ service.Copy, _ service.Report) (service.Verdict, error) {
	return service.Verdict{}, wait(ctx)
}

func (*slow) Extract(ctx context.Context, _ service.Copy, _ service.Selection, _ func(*tar.Header, io.Reader) error) error {
	return wait(ctx)
}
