package process

import (
	"testing"

	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		name := program(t)
		running := child(t, "wait", name)
		cfg := declare(t, "{command: ["+name+"], workers: {memory: 100 MB, cpu: 1%}}")
		return servicetest.Fixture{
			Config: &cfg,
			Stop:   func(*testing.T) { running.end() },
			Start:  func(*testing.T) { running = child(t, "wait", name) }, // for the whole suite, not its caller
		}
	})
}
