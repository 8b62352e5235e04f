package files

import (
	"context"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

// Collect counts the tree. It costs one look at each file, and where that takes long the last
// count stands for a while.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	c, at, err := in.counted.Get(in.env.Now, func() (census, error) { return in.census(ctx) })
	if err != nil {
		return err
	}
	emit(gauge("upkeep_files_measured_timestamp_seconds", "When the files were counted, Unix time.", float64(at.UnixNano())/1e9))
	emit(gauge("upkeep_files_total", "Regular files.", float64(c.files)))
	emit(gauge("upkeep_files_directories", "Directories.", float64(c.directories)))
	emit(gauge("upkeep_files_bytes", "Length of all regular files in bytes.", float64(c.bytes)))
	emit(gauge("upkeep_files_missing", "Declared paths that are not there.", float64(c.gaps.count(missing))))
	emit(gauge("upkeep_files_unreadable", "Files and directories that cannot be read.", float64(c.gaps.count(unreadable))))
	if !c.newest.IsZero() {
		emit(gauge("upkeep_files_newest_timestamp_seconds", "When the newest file was written, Unix time.",
			float64(c.newest.UnixNano())/1e9))
	}
	return nil
}

func gauge(name, help string, value float64) *dto.MetricFamily {
	return &dto.MetricFamily{
		Name: proto.String(name), Help: proto.String(help), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(value)}}},
	}
}
