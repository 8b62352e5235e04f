package logs

import (
	"os"
	"path/filepath"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func collected(t *testing.T, env service.Env, cfg Config) map[string]float64 {
	t.Helper()
	in, err := open(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	err = in.Collect(t.Context(), func(f *dto.MetricFamily) { values[f.GetName()] = f.Metric[0].GetCounter().GetValue() })
	if err != nil {
		t.Error(err)
	}
	return values
}

func TestLinesOfAMetricCountOnceThroughRotation(t *testing.T) {
	env, dir := servicetest.Env(t), t.TempDir()
	path := filepath.Join(dir, "app.log")
	cfg := Config{Paths: []string{dir + "/*.log"}, Metrics: map[string]string{"errors_total": "429|timed out", "timeouts_total": "timed out"}}
	want := func(errors, timeouts float64) {
		t.Helper()
		got := collected(t, env, cfg)
		if got["errors_total"] != errors || got["timeouts_total"] != timeouts {
			t.Errorf("counted %v, not %v and %v", got, errors, timeouts)
		}
	}
	write(t, path, "429 once, and 429 twice in a line\nnothing\nit timed out\n")
	want(2, 1)
	want(2, 1)
	write(t, path, "it timed out after a 429\nhalf of a 42")
	want(3, 2)
	write(t, path, "9\n")
	want(4, 2)
	write(t, path, "429 before the rotation\n")
	move(t, path, path+".1")
	write(t, path, "429 after it\n")
	want(6, 2)
	if err := os.Remove(path + ".1"); err != nil { // what was counted stays
		t.Fatal(err)
	}
	want(6, 2)
	cfg.Metrics["timeouts_total"] = "after"
	want(6, 1)
}
