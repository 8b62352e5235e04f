package neo4j

import (
	"testing"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		s := sharedServer(t)
		seedGraph(t, s)
		cfg := Kind.NewConfig().(*Config)
		door := newDoor(t, s.Addr())
		cfg.URL, cfg.Password = "bolt://"+door.address, secret.Parse(s.Password)
		hanging := *cfg
		hanging.URL = "bolt://" + silent(t)
		return servicetest.Fixture{
			Config:  cfg,
			Hanging: &hanging,
			Damage: func(t *testing.T, scratch service.Instance) {
				in := scratch.(*sibling).in
				must(t, in.with(t.Context(), func(l *link) error {
					_, err := l.change(t.Context(), "MATCH (n:Entity {id: 'e7'}) SET n.description = 'changed' RETURN 1", nil)
					return err
				}))
			},
			Stop:  func(*testing.T) { door.shut() },
			Start: func(*testing.T) { door.open() },
			Only:  "Alone",
		}
	})
}
