package dataset

import (
	"os"
	"testing"

	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		l := lay(t)
		move := func(from, to string) func(*testing.T) {
			return func(t *testing.T) {
				if err := os.Rename(from, to); err != nil {
					t.Fatal(err)
				}
			}
		}
		return servicetest.Fixture{Env: l.env, Config: &l.cfg, Stop: move(l.dir, l.dir+"-away"), Start: move(l.dir+"-away", l.dir)}
	})
}
