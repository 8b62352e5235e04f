package lab

import (
	"strings"
	"testing"
)

func TestEngineRunsAContainerAndLeavesNothing(t *testing.T) {
	e := Docker(t)
	out, err := e.Docker(t.Context(), "run", "--rm", "--network", "none", BaseImage, "echo", "hello")
	if err != nil || !strings.Contains(out, "hello") {
		t.Fatalf("%q, %v", out, err)
	}
}
