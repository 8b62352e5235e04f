package web

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gauge is one chart of a kind: an expression over the names that its samples have. $
// stands for the labels of the target. Its words are web.chart-ID.
type gauge struct{ id, unit, expr string }

// Units of values.
const (
	inBytes   = "bytes"
	inShare   = "share" // 1 is all
	inNumber  = "number"
	inSeconds = "seconds"
	perSecond = "rate" // per second
)

// gauges are what is worth looking at, by kind; the first is the trend on the first screen.
func gauges(kind string) []gauge {
	dataset := []gauge{{"rows", inNumber, `sum by (table) (dataset_rows{$})`}, {"size", inBytes, `sum by (table) (dataset_bytes{$})`}}
	return map[string][]gauge{
		"host": {
			{"disk", inShare, `max by (mountpoint) (1 - node_filesystem_avail_bytes{$,fstype!~"tmpfs|ramfs"} / node_filesystem_size_bytes{$,fstype!~"tmpfs|ramfs"})`},
			{"memory", inShare, `1 - node_memory_MemAvailable_bytes{$} / node_memory_MemTotal_bytes{$}`},
			{"load", inNumber, `node_load5{$}`},
			{"network", perSecond, `sum by (device) (rate(node_network_receive_bytes_total{$,device!="lo"}[5m]))`},
		},
		"postgres": {
			{"connections", inNumber, `sum(pg_stat_database_numbackends{$})`},
			{"size", inBytes, `sum(pg_database_size_bytes{$})`},
			{"transactions", perSecond, `sum(rate(pg_stat_database_xact_commit{$}[5m]))`},
		},
		"redis": {
			{"memory-used", inBytes, `redis_memory_used_bytes{$}`},
			{"keys", inNumber, `sum(redis_db_keys{$})`},
			{"commands", perSecond, `rate(redis_commands_processed_total{$}[5m])`},
			{"clients", inNumber, `redis_connected_clients{$}`},
		},
		"endpoint": {{"answer", inSeconds, `probe_duration_seconds{$}`}, {"answers", inNumber, `probe_success{$}`}},
		"neo4j": {
			{"nodes", inNumber, `sum(neo4j_database_count_node{$})`},
			{"relationships", inNumber, `sum(neo4j_database_count_relationship{$})`},
			{"heap", inBytes, `neo4j_dbms_vm_heap_used{$}`},
		},
		"rabbitmq": {
			{"messages", inNumber, `sum(rabbitmq_queue_messages{$})`},
			{"consumers", inNumber, `sum(rabbitmq_queue_consumers{$})`},
			{"memory-used", inBytes, `rabbitmq_process_resident_memory_bytes{$}`},
		},
		"celery":     {{"waiting", inNumber, `sum by (queue_name) (celery_queue_length{$})`}, {"active", inNumber, `sum(celery_worker_tasks_active{$})`}},
		"compose":    {{"memory-used", inBytes, `sum by (name) (container_memory_working_set_bytes{$})`}, {"processor", perSecond, `sum by (name) (rate(container_cpu_usage_seconds_total{$}[5m]))`}},
		"process":    {{"memory-used", inBytes, `sum(namedprocess_namegroup_memory_bytes{$,memtype="resident"})`}, {"processes", inNumber, `sum(namedprocess_namegroup_num_procs{$})`}},
		"files":      {{"size", inBytes, `upkeep_files_bytes{$}`}, {"files", inNumber, `upkeep_files_total{$}`}},
		"s3":         {{"size", inBytes, `sum by (bucket) (minio_bucket_usage_total_bytes{$})`}, {"objects", inNumber, `sum by (bucket) (minio_bucket_usage_object_total{$})`}},
		"dataset":    dataset,
		"pilotbench": dataset,
		"logs":       {{"size", inBytes, `upkeep_log_bytes{$}`}},
	}[kind]
}

// of is the expression for one target.
func (g gauge) of(system, target string) string {
	return strings.ReplaceAll(g.expr, "$", fmt.Sprintf("system=%s,target=%s", strconv.Quote(system), strconv.Quote(target)))
}

// trend is a line without a scale: a hint beside a number.
type trend struct {
	Chart  string    `json:"chart"`
	Title  string    `json:"title"`
	Unit   string    `json:"unit"`
	Points []reading `json:"points"`
	Span   float64   `json:"span_s"`
}

// reading is one sample as JSON: [Unix time in seconds, value]; the value is null where it
// is no number.
type reading Sample

func (r reading) MarshalJSON() ([]byte, error) {
	if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		return json.Marshal([]any{r.At.Unix(), nil})
	}
	return json.Marshal([]any{r.At.Unix(), r.Value})
}

// How long a trend goes back, and of how many samples it is made.
const (
	trendSpan  = 6 * time.Hour // as the charts of a target at first
	trendSteps = 48
	trendLeast = 3 // samples; fewer make no line
)

// trends asks for the first chart of every target. A series that cannot be had leaves no
// line: the page of the target says why.
func (s *site) trends(ctx context.Context, p *page, rows []row) {
	for i, r := range rows {
		of := gauges(r.Kind)
		if len(of) == 0 {
			continue
		}
		found, err := s.System.Series(ctx, of[0].of(p.system, r.Target), p.now.Add(-trendSpan), p.now, trendSpan/trendSteps)
		if err != nil || len(found) == 0 {
			continue
		}
		if line := highest(found); len(line) >= trendLeast {
			rows[i].Trend = &trend{Chart: of[0].id, Title: p.say("chart-" + of[0].id), Unit: of[0].unit, Points: line, Span: trendSpan.Seconds()}
		}
	}
}

// highest is the line of the series that ends highest: the fullest disk.
func highest(all []Series) []reading {
	worst := slices.MaxFunc(all, func(a, b Series) int { return compareLast(a, b) })
	return readings(worst.Samples)
}

func compareLast(a, b Series) int {
	last := func(s Series) float64 {
		if len(s.Samples) == 0 {
			return math.Inf(-1)
		}
		return s.Samples[len(s.Samples)-1].Value
	}
	switch x, y := last(a), last(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func readings(samples []Sample) []reading {
	all := make([]reading, len(samples))
	for i, s := range samples {
		all[i] = reading(s)
	}
	return all
}

// path draws a trend into 96 by 24 units. Where samples are missing there is a gap.
func (t *trend) path() string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range t.Points {
		if !math.IsNaN(r.Value) {
			low, high = min(low, r.Value), max(high, r.Value)
		}
	}
	if high-low <= math.Abs(high)/50 { // what hardly moves is drawn flat
		low, high = low-1, high+1
	}
	from, step := t.Points[len(t.Points)-1].At.Add(-trendSpan), trendSpan/trendSteps
	var b strings.Builder
	move, last := "M", time.Time{}
	for _, r := range t.Points {
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
			move = "M"
			continue
		}
		if r.At.Sub(last) > step*3/2 {
			move = "M"
		}
		x := 96 * float64(r.At.Sub(from)) / float64(trendSpan)
		fmt.Fprintf(&b, "%s%.1f %.1f", move, x, 22-20*(r.Value-low)/(high-low))
		move, last = "L", r.At
	}
	return b.String()
}

// chart is what a page plots.
type chart struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Unit  string `json:"unit"`
	Expr  string `json:"expr"`
	From  int64  `json:"from"` // Unix time in seconds of its left edge; 0 = the first sample
	To    int64  `json:"to"`
	Lines []line `json:"series"`
}

type line struct {
	Name   string    `json:"name"`
	Points []reading `json:"points"`
}

// linesShown keeps a chart readable.
const linesShown = 8

// spans are how far back the charts of a target may go.
func spans() []string { return []string{"6h", "24h", "7d", "30d"} }

// spanOf reads what the address says; 6 hours where it says nothing known.
func spanOf(name string) (string, time.Duration) {
	hours := map[string]int{"6h": 6, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
	if hours[name] == 0 {
		name = spans()[0]
	}
	return name, time.Duration(hours[name]) * time.Hour
}

// plotSteps is about one sample for every three pixels of a wide chart.
const plotSteps = 240

// charts asks for all charts of a target. Those without a sample are left out.
func (s *site) charts(ctx context.Context, p *page, kind, target string, span time.Duration) ([]chart, error) {
	all := []chart{}
	for _, g := range gauges(kind) {
		expr := g.of(p.system, target)
		found, err := s.System.Series(ctx, expr, p.now.Add(-span), p.now, span/plotSteps)
		if err != nil {
			return all, err
		}
		c := chart{ID: g.id, Title: p.say("chart-" + g.id), Unit: g.unit, Expr: expr, From: p.now.Add(-span).Unix(), To: p.now.Unix()}
		for _, one := range found[:min(len(found), linesShown)] {
			if len(one.Samples) > 0 {
				c.Lines = append(c.Lines, line{nameOf(one.Labels), readings(one.Samples)})
			}
		}
		if len(c.Lines) > 0 {
			all = append(all, c)
		}
	}
	return all, nil
}

// nameOf tells one line of a chart from another: by the labels that are not the target's.
func nameOf(labels map[string]string) string {
	var parts []string
	for name, value := range labels {
		if !slices.Contains([]string{"__name__", "system", "target", "job", "instance"}, name) {
			parts = append(parts, value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// plot is what the script draws.
func (c chart) plot() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("encode chart %s: %v", c.ID, err)) // plain values always encode
	}
	return string(text)
}

// picture says a chart in words: last, lowest and highest value.
func (c chart) picture(p *page) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range c.Lines {
		for _, r := range l.Points {
			if !math.IsNaN(r.Value) {
				low, high = min(low, r.Value), max(high, r.Value)
			}
		}
	}
	return p.say("chart-alt", "title", c.Title, "last", p.value(c.last(), c.Unit), "low", p.value(low, c.Unit), "high", p.value(high, c.Unit))
}

// last is the highest of the lines' last values.
func (c chart) last() float64 {
	last := math.Inf(-1)
	for _, l := range c.Lines {
		last = max(last, l.Points[len(l.Points)-1].Value)
	}
	return last
}

// value is a number in words of its unit.
func (p *page) value(v float64, unit string) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return p.say("no-number")
	case unit == inBytes:
		return p.words.Bytes(int64(v))
	case unit == inShare:
		return p.words.Percent(v)
	case unit == inSeconds:
		return p.words.Duration(time.Duration(v * float64(time.Second)))
	case v == math.Trunc(v):
		return p.words.Count(int64(v))
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// lastOf is the last value of a trend.
func (p *page) lastOf(t *trend) string { return p.value(t.Points[len(t.Points)-1].Value, t.Unit) }
