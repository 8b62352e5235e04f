package process

import (
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service/servicetest"
)

func TestCollectKeepsCountingWhenAProcessEnds(t *testing.T) {
	name := program(t)
	burner := child(t, "burn", name)
	child(t, "wait", name)
	in := watch(t, servicetest.Env(t), "command: ["+name+"]")
	before := ticks(t, in)
	until(t, func() bool { return ticks(t, in) > before+10 })
	first := collect(t, in)
	if first["num_procs"] != 2 || first["memory_bytes resident"] <= 0 || first["cpu_seconds_total user"] <= 0 ||
		first["num_threads"] < 2 || first["oldest_start_time_seconds"] <= 0 || first["open_filedesc"] < 6 {
		t.Errorf("first round: %v", first)
	}
	burner.end()
	second := collect(t, in)
	if second["num_procs"] != 1 || second["cpu_seconds_total user"] < first["cpu_seconds_total user"] {
		t.Errorf("after one ended: %v, before %v", second, first)
	}
}

func TestCollectOfNothingIsZero(t *testing.T) {
	got := collect(t, watch(t, servicetest.Env(t), "command: [no-such-program]"))
	if n, there := got["num_procs"]; !there || n != 0 {
		t.Errorf("got %v", got)
	}
}

// collect returns values by the rest of the name and the last label.
func collect(t *testing.T, in *Instance) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	err := in.Collect(t.Context(), func(f *dto.MetricFamily) {
		name, ok := strings.CutPrefix(f.GetName(), "namedprocess_namegroup_")
		if !ok {
			t.Errorf("stray name %s", f.GetName())
		}
		for _, m := range f.GetMetric() {
			id := name
			for _, l := range m.GetLabel() {
				if l.GetName() != "groupname" {
					id += " " + l.GetValue()
				} else if l.GetValue() != in.env.Target {
					t.Errorf("group is %s", l.GetValue())
				}
			}
			got[id] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
