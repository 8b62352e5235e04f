package endpoint

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// collect returns values by name and label.
func collect(t *testing.T, in *Instance) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	err := in.Collect(t.Context(), func(f *dto.MetricFamily) {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetGauge().GetValue()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func expect(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if g, there := got[name]; !there || g != value {
			t.Errorf("%s is %v (%v), want %v", name, g, there, value)
		}
	}
}

func TestCollectUsesTheStockNames(t *testing.T) {
	a := newAuthority(t)
	until := time.Now().Add(60 * 24 * time.Hour).Truncate(time.Second)
	url := a.serve(t, "", time.Now().Add(-time.Hour), until, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("hello"))
	}))
	got := collect(t, point(t, servicetest.Env(t), url, "tls: {ca: "+a.file+"}"))
	expect(t, got, map[string]float64{
		"probe_success": 1, "probe_http_status_code": 200, "probe_http_content_length": 5, "probe_http_ssl": 1,
		"probe_http_redirects": 0, "probe_http_version": 1.1, "probe_http_uncompressed_body_length": 5, "probe_ip_protocol": 4,
		"probe_ssl_earliest_cert_expiry": float64(until.Unix()), "probe_ssl_last_chain_expiry_timestamp_seconds": float64(until.Unix()),
		"probe_failed_due_to_regex": 0,
	})
	var phases float64
	for _, name := range []string{"resolve", "connect", "tls", "processing", "transfer"} {
		took, there := got["probe_http_duration_seconds "+name]
		if !there || took < 0 || name != "resolve" && took == 0 {
			t.Errorf("phase %s took %v", name, took)
		}
		phases += took
	}
	if whole := got["probe_duration_seconds"]; whole <= 0 || phases > whole {
		t.Errorf("the phases took %v of %v", phases, whole)
	}
}

func TestCollectTellsFailureFromNoAnswer(t *testing.T) {
	broken := point(t, servicetest.Env(t), answering(t, 500, ""), "")
	expect(t, collect(t, broken), map[string]float64{"probe_success": 0, "probe_http_status_code": 500})

	degraded := point(t, servicetest.Env(t), answering(t, 200, `{"db": "down"}`), "expect: {json: {db: up}}")
	expect(t, collect(t, degraded), map[string]float64{"probe_success": 0, "probe_http_status_code": 200})

	differs := point(t, servicetest.Env(t), answering(t, 200, "no"), "expect: {body: {matches: ^yes}}")
	expect(t, collect(t, differs), map[string]float64{"probe_success": 0, "probe_failed_due_to_regex": 1})

	slow := point(t, servicetest.Env(t), answering(t, 200, ""), "latency: {critical: 1ms}")
	slow.cfg.Latency.Critical = 1 // nanosecond
	expect(t, collect(t, slow), map[string]float64{"probe_success": 1})

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone := point(t, servicetest.Env(t), "http://"+silent.Addr().String(), "timeout: 200ms")
	if got := collect(t, gone); got["probe_duration_seconds"] < 0.2 {
		t.Errorf("got %v", got)
	} else {
		expect(t, got, map[string]float64{"probe_success": 0, "probe_http_status_code": 0})
	}

	open := point(t, servicetest.Env(t), "tcp://"+silent.Addr().String(), "")
	got := collect(t, open)
	expect(t, got, map[string]float64{"probe_success": 1, "probe_ip_protocol": 4})
	for name := range got {
		if strings.HasPrefix(name, "probe_http") {
			t.Errorf("tcp has %s", name)
		}
	}
}

func TestCollectOfALimitedServerIsNoFailure(t *testing.T) {
	server := &limiting{after: "60"}
	server.on.Store(true)
	in := point(t, servicetest.Env(t), serving(t, server.ServeHTTP), "")
	for range 2 {
		err := in.Collect(t.Context(), func(f *dto.MetricFamily) { t.Errorf("emitted %s", f.GetName()) })
		if !errors.Is(err, service.ErrBusy) {
			t.Errorf("error is %v", err)
		}
	}
	if server.asked.Load() != 1 {
		t.Errorf("asked %d times", server.asked.Load())
	}
}
