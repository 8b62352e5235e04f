package compose

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"upkeep/internal/catalogue"
	"upkeep/internal/service/servicetest"
)

func TestWordsAreComplete(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "compose", Text: text})
	must(t, err)
	if err := words.Check(); err != nil {
		t.Error(err)
	}
}

func TestExampleWorks(t *testing.T) {
	var services map[string]struct {
		Kind   string `yaml:"kind"`
		Config `yaml:",inline"`
	}
	must(t, yaml.Unmarshal(example, &services))
	cfg := services["stack"].Config
	cfg.Defaults()
	if err := cfg.Validate().Err(); err != nil || cfg.Services["migrate"].Expect != exited || cfg.Services["worker"].Restarts != 1 {
		t.Errorf("%v: example reads as %+v", err, services)
	}
}

func TestEveryMistakeInADeclarationIsNamed(t *testing.T) {
	cfg := Config{Host: "ssh://me@elsewhere", Services: map[string]Expected{"db": {Expect: "up", Restarts: -1, RestartAfter: -1}}}
	said := cfg.Validate().Err().Error()
	for _, path := range []string{"files: ", "host: ", "services.db.expect: ", "services.db.restarts: ", "services.db.restart_after: "} {
		if !strings.Contains(said, path) {
			t.Errorf("nothing about %s in %s", path, said)
		}
	}
	for _, host := range []string{"unix:///run/docker.sock", "tcp://10.0.0.2:2375"} {
		if !hostUnderstood(host) {
			t.Errorf("%s is not understood", host)
		}
	}
}

// silent takes connections and never answers.
func silent(t *testing.T) (host string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return "unix://" + socket // the kernel accepts for it
}

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		s := upped(t)
		cfg := Kind.NewConfig().(*Config)
		cfg.Files, cfg.Host = []string{s.File}, s.Engine.Host
		hanging := *cfg
		hanging.Host = silent(t)
		return servicetest.Fixture{
			Config:  cfg,
			Hanging: &hanging,
			Stop:    func(t *testing.T) { must(t, engine.Stop()) },
			Start: func(t *testing.T) {
				must(t, engine.Start(t.Context()))
				must(t, s.Up(t.Context(), "--wait"))
			},
		}
	})
}
