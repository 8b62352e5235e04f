package host

import (
	"testing"

	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		// What moves by itself is left out: two looks must agree.
		cfg := declare(t, "{pressure: {cpu: {warning: 0}, memory: {warning: 0, critical: 0}, io: {warning: 0}}, load: {warning: 0}}")
		return servicetest.Fixture{Config: &cfg}
	})
}
