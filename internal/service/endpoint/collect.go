package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

// Collect asks once and gives the answer under blackbox_exporter's names. A
// server that does not answer has probe_success 0; one that was not asked, for
// its limit or our budget, has no probe_success at all and gives an error.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	var v service.Verdict
	a, err := in.ask(ctx)
	var wait *held
	switch {
	case errors.As(err, &wait):
		return fmt.Errorf("ask %s: %w: %w", shown(in.url), err, service.ErrBusy)
	case err == nil:
		in.judge(a, &v)
	case !errors.Is(err, service.ErrUnreachable):
		if err := in.explain(err, &v); err != nil {
			return err
		}
	}
	return gather(measured{answer: a, scheme: in.url.Scheme, verdict: v, down: err != nil}, emit)
}

func gather(from prometheus.Collector, emit func(*dto.MetricFamily)) error {
	registry := prometheus.NewRegistry()
	if err := registry.Register(from); err != nil {
		return fmt.Errorf("prepare the samples: %w", err)
	}
	families, err := registry.Gather()
	if err != nil {
		return fmt.Errorf("gather the samples: %w", err)
	}
	for _, family := range families {
		emit(family)
	}
	return nil
}

// measured shows one answer as blackbox_exporter's metrics.
type measured struct {
	answer
	scheme  string
	verdict service.Verdict
	down    bool // no answer
}

// Describe sends nothing: the registry lives for one round.
func (m measured) Describe(chan<- *prometheus.Desc) {}

// Collect sends every metric once.
func (m measured) Collect(to chan<- prometheus.Metric) {
	if success, known := m.success(); known {
		send(to, "probe_success", "Displays whether or not the probe was a success", success)
	}
	send(to, "probe_duration_seconds", "Returns how long the probe took to complete in seconds", m.took.Seconds())
	send(to, "probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds", m.phases.resolve.Seconds())
	if ip := net.ParseIP(m.phases.address); ip != nil {
		send(to, "probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6", protocol(ip))
	}
	if m.scheme != "tcp" {
		m.sendHTTP(to)
	}
	if m.tls != nil {
		send(to, "probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime",
			float64(earliest(m.tls.PeerCertificates).Unix()))
		send(to, "probe_ssl_last_chain_expiry_timestamp_seconds", "Returns last SSL chain expiry in timestamp",
			float64(expiry(m.tls).Unix()))
	}
}

func (m measured) sendHTTP(to chan<- prometheus.Metric) {
	send(to, "probe_http_status_code", "Response HTTP status code", float64(m.status))
	send(to, "probe_http_content_length", "Length of http content response", float64(m.length))
	send(to, "probe_http_uncompressed_body_length", "Length of uncompressed response body", float64(len(m.body)))
	send(to, "probe_http_redirects", "The number of redirects", float64(m.redirects))
	send(to, "probe_http_version", "Returns the version of HTTP of the probe response", m.version)
	send(to, "probe_http_ssl", "Indicates if SSL was used for the final redirect", truth(m.scheme == "https"))
	send(to, "probe_failed_due_to_regex", "Indicates if probe failed due to regex", truth(m.found("body-differs")))
	for name, took := range map[string]float64{
		"resolve": m.phases.resolve.Seconds(), "connect": m.phases.connect.Seconds(), "tls": m.phases.tls.Seconds(),
		"processing": m.phases.processing.Seconds(), "transfer": m.phases.transfer.Seconds(),
	} {
		send(to, "probe_http_duration_seconds", "Duration of http request by phase, summed over all redirects", took, "phase", name)
	}
}

// success is 0 when something critical was found beyond mere slowness, and
// unknown when that could not be told.
func (m measured) success() (value float64, known bool) {
	if m.down {
		return 0, true
	}
	value, known = 1, true
	for _, f := range m.verdict.Findings {
		switch {
		case f.Severity == service.Unknown:
			known = false
		case f.Severity == service.Critical && f.ID != "slow" && f.ID != "tls-expiring":
			return 0, true
		}
	}
	return value, known
}

func (m measured) found(slug string) bool {
	return slices.ContainsFunc(m.verdict.Findings, func(f service.Finding) bool { return f.ID == slug })
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func protocol(ip net.IP) float64 {
	if ip.To4() != nil {
		return 4
	}
	return 6
}

// send takes one label as name and value.
func send(to chan<- prometheus.Metric, name, help string, value float64, label ...string) {
	var names, values []string
	if len(label) == 2 {
		names, values = label[:1], label[1:]
	}
	to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), prometheus.GaugeValue, value, values...)
}
