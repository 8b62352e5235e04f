package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"upkeep/internal/diag"
	"upkeep/internal/service"
)

// stateOfLines is the key of the state, followed by the name of a metric.
const stateOfLines = "lines "

// counted is one metric: how many lines there were, and up to where each stream was read. A
// line counts once, however often samples are taken.
type counted struct {
	Pattern string          `json:"pattern"` // another one begins anew
	Lines   float64         `json:"lines"`
	Read    service.Cursors `json:"read"`
}

func (c *Config) validateMetrics(p *diag.List) {
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		path := "metrics." + name
		if !model.LegacyValidation.IsValidMetricName(name) || !strings.HasSuffix(name, "_total") {
			p.Addf(path, "the name of a metric is letters, digits and underscores, and ends in _total")
		}
		if _, err := regexp.Compile(c.Metrics[name]); err != nil || c.Metrics[name] == "" {
			p.Addf(path, "must be a regular expression for a line, is %q", c.Metrics[name])
		}
	}
}

// count reads what was logged since the last samples, at first everything, for each metric.
// A stream that cannot be read is an error beside the count of the others, which will have
// its lines when it can.
func (in *Instance) count(ctx context.Context, emit func(*dto.MetricFamily)) (err error) {
	for _, name := range slices.Sorted(maps.Keys(in.cfg.Metrics)) {
		n, failed := in.lines(ctx, name, in.cfg.Metrics[name])
		if err = errors.Join(err, failed); n >= 0 {
			emit(&dto.MetricFamily{Name: proto.String(name), Help: proto.String(helpOf(in.cfg.Metrics[name])),
				Type: dto.MetricType_COUNTER.Enum(), Metric: []*dto.Metric{{Counter: &dto.Counter{Value: proto.Float64(n)}}}})
		}
	}
	return err
}

// lines is the count of one metric; negative where it could not be kept.
func (in *Instance) lines(ctx context.Context, name, pattern string) (float64, error) {
	meant, err := regexp.Compile(pattern)
	if err != nil {
		return -1, err
	}
	var c counted
	if err := in.recall(ctx, stateOfLines+name, &c); err != nil {
		return -1, err
	}
	if c.Pattern != pattern {
		c = counted{Pattern: pattern}
	}
	read := maps.Clone(c.Read)
	if read == nil {
		read = service.Cursors{}
	}
	var failed error
	for block, err := range in.Logs(ctx, c.Read) {
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("count lines for %s: %w", name, err))
			continue
		}
		for line := range bytes.Lines(block.Data) {
			if meant.Match(line) {
				c.Lines++
			}
		}
		read[block.Stream] = block.Next
	}
	if ctx.Err() != nil {
		return -1, ctx.Err()
	}
	c.Read = read
	if err := in.remember(ctx, stateOfLines+name, c); err != nil {
		return -1, errors.Join(failed, err)
	}
	return c.Lines, failed
}

// DeclaredMetrics are the counters that the declaration asks for.
func (c *Config) DeclaredMetrics() (all []service.Metric) {
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		all = append(all, service.Metric{Name: name, Type: "counter", Help: helpOf(c.Metrics[name])})
	}
	return all
}

func helpOf(pattern string) string { return "Lines in the logs that match " + pattern }
