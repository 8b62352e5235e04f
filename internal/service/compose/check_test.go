package compose

import (
	"slices"
	"testing"
)

func TestAHealthyStackHasNothingToTell(t *testing.T) {
	in := declare(t, upped(t))
	v := check(t, in)
	if len(v.Findings) != 0 || v.Facts["running"] != 2 || v.Facts["services"] != 3 {
		t.Errorf("%v %+v", found(v), v)
	}
	if states := v.Facts["states"].(map[string]string); states["store"] != "running, healthy" || states["migrate"] != "exited" {
		t.Errorf("states %v", states)
	}
	if !slices.Equal(v.Facts["disabled"].([]string), []string{"debug"}) {
		t.Errorf("disabled %v", v.Facts["disabled"])
	}
}
