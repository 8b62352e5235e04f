package s3

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

// Collect passes on what MinIO publishes about the bucket. Where the server does
// not, the bucket is counted, under the same names and for a limited time, and where that takes
// long the last count stands for a while; a bucket that takes longer than the limit gives no
// number rather than a wrong one.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	c, err := in.connect(ctx)
	if err != nil {
		return err
	}
	b, err := in.look(ctx, c)
	if err != nil || !b.there {
		return err
	}
	families, err := in.metrics(ctx, c)
	if err != nil {
		return err
	}
	if families[metricObjects] == nil {
		counted, _, err := in.counted.Get(in.env.Now, func() (map[string]int64, error) { return in.count(ctx, c, b) })
		if err != nil {
			return fmt.Errorf("collect: %w", err)
		}
		in.gauges(in.whole(counted, b), emit)
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		emit(families[name])
	}
	return in.cluster(ctx, c, emit)
}

// cluster passes on what MinIO says of itself, but not how long each sort of request took: those
// are more series than all else together.
func (in *Instance) cluster(ctx context.Context, c *client, emit func(*dto.MetricFamily)) error {
	families, err := in.published(ctx, c, "cluster")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasSuffix(name, "_distribution") {
			emit(families[name])
		}
	}
	return nil
}

// whole adds the zeros of a bucket in which nothing of a sort is, and leaves out what
// a listing without versions cannot tell.
func (in *Instance) whole(counted map[string]int64, b bucket) map[string]int64 {
	names := []string{metricBytes, metricObjects}
	if in.history(b) {
		names = append(names, metricVersions, metricMarkers)
	}
	all := map[string]int64{}
	for _, name := range names {
		all[name] = counted[name]
	}
	return all
}

func (in *Instance) gauges(values map[string]int64, emit func(*dto.MetricFamily)) {
	label := "bucket"
	help := map[string]string{metricBytes: "Total bucket size in bytes", metricObjects: "Total number of objects",
		metricVersions: "Total number of versions (includes delete marker)", metricMarkers: "Total number of delete markers"}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value, said := float64(values[name]), help[name]
		emit(&dto.MetricFamily{Name: &name, Help: &said, Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{
			Label: []*dto.LabelPair{{Name: &label, Value: &in.cfg.Bucket}}, Gauge: &dto.Gauge{Value: &value}}}})
	}
}

// Size is what MinIO says it holds, else what a listing adds up to.
func (in *Instance) Size(ctx context.Context) (int64, error) {
	c, err := in.connect(ctx)
	if err != nil {
		return 0, err
	}
	b, err := in.look(ctx, c)
	if err != nil || !b.there {
		return 0, err
	}
	families, err := in.metrics(ctx, c)
	if err != nil {
		return 0, err
	}
	if family := families[metricBytes]; family != nil {
		return int64(family.Metric[0].GetGauge().GetValue()), nil
	}
	counted, err := in.count(ctx, c, b)
	if err != nil {
		return 0, fmt.Errorf("estimate the size: %w: %w", err, service.ErrUnsupported)
	}
	return counted[metricBytes], nil
}
