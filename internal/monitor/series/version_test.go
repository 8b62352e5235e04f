package series_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"upkeep/internal/monitor/series"
)

// TestTheVersionIsThatOfTheModule: version 3.15.0 is the module's v0.315.0.
func TestTheVersionIsThatOfTheModule(t *testing.T) {
	var major, minor, patch int
	if _, err := fmt.Sscanf(series.PrometheusVersion, "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatal(err)
	}
	required, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("github.com/prometheus/prometheus v0.%d%02d.%d\n", major, minor, patch)
	if !strings.Contains(string(required), want) {
		t.Errorf("clients are told %s; go.mod does not require %s", series.PrometheusVersion, want)
	}
}
