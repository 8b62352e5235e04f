package lab

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

func TestEngineRunsAContainerAndLeavesNothing(t *testing.T) {
	Need(t, "root", "docker")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	e, err := StartDocker(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Docker(ctx, "run", "--rm", "--network", "none", BaseImage, "echo", "hello")
	if err != nil || !strings.Contains(out, "hello") {
		t.Errorf("%q, %v", out, err)
	}
	id, err := e.Docker(ctx, "network", "create", "some")
	bridge := "/sys/class/net/br-" + id[:min(12, len(id))]
	if _, there := os.Stat(bridge); err != nil || there != nil {
		t.Errorf("%v: the network has no %s", err, bridge)
	}
	if err := e.Remove(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{e.Dir, bridge} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left", path)
		}
	}
	if left := mentioning(e.Dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}
