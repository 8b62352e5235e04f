package compose

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service/servicetest"
)

// collect returns samples as NAME and service (or volume) to value.
func collect(t *testing.T, in *Instance) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	must(t, in.Collect(t.Context(), func(f *dto.MetricFamily) {
		for _, m := range f.Metric {
			key := f.GetName()
			for _, label := range m.Label {
				if label.GetName() == "service" || label.GetName() == "key" {
					key += " " + label.GetValue()
				}
			}
			all[key] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}))
	return all
}

func TestSamples(t *testing.T) {
	s := upped(t)
	in := declare(t, s)
	store := filepath.Base(s.Dir) + "-store-1"
	docker(t, "exec", store, "dd", "if=/dev/zero", "of=/data/file", "bs=1k", "count=300")
	docker(t, "exec", store, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do dd if=/dev/zero of=/dev/null bs=1M count=500; done")
	first := collect(t, in)
	for name, above := range map[string]float64{
		"upkeep_compose_up": 0, "container_cpu_usage_seconds_total store": 0.05, "container_memory_usage_bytes store": 10e3,
		"container_memory_working_set_bytes store": 10e3, "container_threads store": 1, "container_start_time_seconds store": float64(time.Now().Unix() - 600),
		"upkeep_compose_volumes_measured": 0, "upkeep_compose_volume_bytes stored": 300e3,
		"upkeep_compose_container_running web": 0, "upkeep_compose_container_healthy store": 0, "upkeep_compose_container_log_bytes migrate": 0,
	} {
		if first[name] <= above {
			t.Errorf("%s is %v, want more than %v", name, first[name], above)
		}
	}
	for _, name := range []string{"container_network_receive_bytes_total store", "container_spec_memory_limit_bytes web",
		"upkeep_compose_container_restarts web"} {
		if _, there := first[name]; !there {
			t.Errorf("there is no %s", name)
		}
	}
	if first["upkeep_compose_container_running migrate"] != 0 {
		t.Error("a job that is done counts as running")
	}
	if _, there := first["container_memory_usage_bytes migrate"]; there {
		t.Error("a container that does not run has memory")
	}
}

// TestVolumesAreMeasuredOnceAnHour: the engine walks through all files for it.
func TestVolumesAreMeasuredOnceAnHour(t *testing.T) {
	s := upped(t)
	now := time.Now()
	in := declare(t, s)
	in.env = servicetest.Env(t)
	in.env.Now = func() time.Time { return now }
	before := collect(t, in)["upkeep_compose_volume_bytes stored"]
	docker(t, "exec", filepath.Base(s.Dir)+"-store-1", "dd", "if=/dev/zero", "of=/data/file", "bs=1k", "count=300")
	if again := collect(t, in)["upkeep_compose_volume_bytes stored"]; again != before {
		t.Errorf("measured again at once: %v, then %v", before, again)
	}
	now = now.Add(time.Hour)
	if later := collect(t, in)["upkeep_compose_volume_bytes stored"]; later < before+300e3 {
		t.Errorf("not measured after an hour: %v, then %v", before, later)
	}
}

// TestCountsOfBlockDevices are from an engine of control groups version 2: the
// kernel of a test machine may not count them.
func TestCountsOfBlockDevices(t *testing.T) {
	var stats container.StatsResponse
	must(t, json.Unmarshal([]byte(`{"blkio_stats": {"io_service_bytes_recursive": [
		{"major": 254, "minor": 0, "op": "read", "value": 4096}, {"major": 254, "minor": 0, "op": "write", "value": 307200},
		{"major": 253, "minor": 0, "op": "Write", "value": 1}, {"major": 253, "minor": 0, "op": "Total", "value": 9}]},
		"memory_stats": {"usage": 1000, "stats": {"inactive_file": 300}}}`), &stats))
	if read, written := blockBytes(stats.BlkioStats); read != 4096 || written != 307201 {
		t.Errorf("read %d, written %d", read, written)
	}
	if got := workingSet(stats.MemoryStats); got != 700 {
		t.Errorf("working set %d", got)
	}
	stats.MemoryStats.Stats = map[string]uint64{"total_inactive_file": 400, "inactive_file": 1}
	if got := workingSet(stats.MemoryStats); got != 600 {
		t.Errorf("working set of version 1: %d", got)
	}
}
