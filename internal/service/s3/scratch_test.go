package s3

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
	"upkeep/lab"
)

// The scratch answers on this machine only, as an ordinary user, and its keys stand
// in nobody's arguments; whatever it is asked for, it reaches itself.
func TestScratchIsPrivate(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	upload(t, c, "k", "source")
	in := declare(t, s)
	copied := backup(t, in)
	scratch, err := in.Scratch(t.Context(), copied, service.Report{})
	must(t, err)
	sib := scratch.(*sibling)
	listeners, err := exec.CommandContext(t.Context(), "ss", "-ltnpH").Output()
	must(t, err)
	n := 0
	for line := range strings.Lines(string(listeners)) {
		if !strings.Contains(line, fmt.Sprintf("pid=%d,", sib.srv.pid)) {
			continue
		}
		n++
		host, _, err := net.SplitHostPort(strings.Fields(line)[3])
		must(t, err)
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			t.Errorf("it listens on %s", host)
		}
	}
	if n == 0 {
		t.Error("its socket was not found")
	}
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", sib.srv.pid))
	must(t, err)
	if strings.Contains(string(argv), sib.srv.private) || strings.Contains(string(argv), sib.srv.access) {
		t.Errorf("its keys are in its arguments")
	}
	if os.Getuid() == 0 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", sib.srv.pid))
		must(t, err)
		if strings.Contains(string(status), "Uid:\t0\t") {
			t.Error("it runs as root")
		}
	}
	// Even an instance that is told to talk to the source talks to the scratch.
	astray := &Instance{env: sib.in.env, cfg: sib.in.cfg, only: sib.in.only}
	astray.cfg.Endpoint = "http://" + s.Addr()
	there, err := astray.look(t.Context(), mustConnect(t, astray))
	if err != nil || there.there {
		t.Errorf("it found a bucket that only the source has: %v", err)
	}
	must(t, astray.Close())
	pid := sib.srv.pid
	must(t, scratch.Close())
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("it is still there")
	}
	if content(t, c, "k") != "source" {
		t.Error("the source was touched")
	}
}

func TestCollectCountsAsMinIODoes(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	seed(t, s)
	in := declare(t, s)
	got := map[string]float64{}
	must(t, in.Collect(t.Context(), func(f *dto.MetricFamily) { got[f.GetName()] = f.Metric[0].GetGauge().GetValue() }))
	for name, want := range map[string]float64{metricObjects: 8, metricVersions: 12, metricMarkers: 2} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v; all: %v", name, got[name], want, got)
		}
	}
	size, err := in.Size(t.Context())
	if err != nil || float64(size) != got[metricBytes] || size < 32<<20 {
		t.Errorf("size %d, %v; metric %v", size, err, got[metricBytes])
	}
	cl, err := in.connect(t.Context())
	must(t, err)
	families, err := in.metrics(t.Context(), cl)
	must(t, err)
	if families == nil {
		t.Error("MinIO did not take the token")
	}
	for name, family := range families {
		if !labelled(family.Metric[0], bucketName) {
			t.Errorf("%s is of another bucket", name)
		}
	}
}

func mustConnect(t *testing.T, in *Instance) *client {
	t.Helper()
	c, err := in.connect(t.Context())
	must(t, err)
	return c
}
