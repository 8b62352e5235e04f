package compose

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"upkeep/internal/service"
	"upkeep/lab"
)

// unlimited is the lab's stack whose store logs without end.
func unlimited(t *testing.T, replace ...string) (lab.Stack, *Instance) {
	t.Helper()
	s := upped(t, append([]string{"    logging: *limited\n", ""}, replace...)...)
	return s, declare(t, s, func(c *Config) { c.Files = append(c.Files, filepath.Join(s.Dir, overrideName)) })
}

func planned(t *testing.T, in *Instance) service.Step {
	t.Helper()
	steps, err := in.Maintenance(t.Context())
	must(t, err)
	if len(steps) != 1 {
		t.Fatalf("steps %+v", steps)
	}
	return steps[0]
}

func TestWhatElseANewContainerBringsIsInThePlan(t *testing.T) {
	s, in := unlimited(t)
	if also := planned(t, in).Title.Args["also"].([]string); len(also) > 0 {
		t.Errorf("a stack as its files say would change in %q", also)
	}
	change(t, s, "    stop_grace_period: 3s\n    healthcheck", "    working_dir: /tmp\n    stop_grace_period: 3s\n    healthcheck")
	if also := planned(t, in).Title.Args["also"].([]string); !slices.Equal(also, []string{"working_dir"}) {
		t.Errorf("the change of working_dir shows as %q", also)
	}
}

func TestASharedContainerIsNotMadeAnewAlone(t *testing.T) {
	_, in := unlimited(t, "    restart: unless-stopped\n", "    restart: unless-stopped\n    pid: service:store\n")
	step := planned(t, in)
	var args limitArgs
	must(t, json.Unmarshal(step.Args, &args))
	if step.Op != opAdvise || args.Reason != "shared" || !slices.Equal(args.Users, []string{"web"}) {
		t.Errorf("planned %+v", step)
	}
	out, err := in.Do(t.Context(), step, service.Report{})
	must(t, err)
	if all := found(out.Verdict); !slices.Equal(all, []string{"warning log-limit-refused store"}) {
		t.Errorf("doing it finds %q", all)
	}
}

func TestALimitThatTheProjectCannotLoadIsNotWritten(t *testing.T) {
	s, in := unlimited(t)
	err := in.writeOverride(t.Context(), override{Services: map[string]limited{"nobody": rotated()}})
	if !errors.Is(err, service.ErrUndeclared) {
		t.Errorf("a limit of a service that is not there: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(s.Dir, "*"+overrideName+"*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

func TestUpkeepsOwnFileIsTheLast(t *testing.T) {
	for _, files := range [][]string{{overrideName}, {overrideName, "docker-compose.yml"}} {
		cfg := Kind.NewConfig().(*Config)
		cfg.Files = files
		if cfg.Validate().Err() == nil {
			t.Errorf("%q is accepted", files)
		}
	}
}
