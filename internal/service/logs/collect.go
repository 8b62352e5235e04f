package logs

import (
	"context"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"upkeep/internal/service"
)

// Collect counts the files, and the lines that metrics ask for. It costs one look at each
// file, and reads what is new for each metric. There is no stock exporter
// for log files, so the names are our own.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	f, err := in.find(ctx)
	if err != nil {
		return fmt.Errorf("look for log files: %w", err)
	}
	var present, newest int64
	for _, l := range f.logs {
		if l.current != nil {
			present, newest = present+l.current.Size, max(newest, l.current.Last)
		}
	}
	n, bytes := f.files()
	emit(gauge("upkeep_log_files", "Log files, rotated ones among them.", float64(n)))
	emit(gauge("upkeep_log_bytes", "Length of all log files in bytes, rotated ones among them.", float64(bytes)))
	emit(gauge("upkeep_log_current_bytes", "Length in bytes of the files that are written now.", float64(present)))
	if newest > 0 {
		emit(gauge("upkeep_log_newest_timestamp_seconds", "When the last line was written, Unix time.", float64(newest)/float64(time.Second)))
	}
	if err := in.count(ctx, emit); err != nil {
		return err
	}
	if len(f.unreadable) > 0 {
		return fmt.Errorf("look into %v: %w", f.unreadable, service.ErrDenied)
	}
	return nil
}

func gauge(name, help string, value float64) *dto.MetricFamily {
	return &dto.MetricFamily{
		Name: proto.String(name), Help: proto.String(help), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(value)}}},
	}
}
