package compose

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
)

// state is what the engine says of a service's first container.
func state(t *testing.T, in *Instance, s string) string {
	t.Helper()
	p, err := in.load(t.Context())
	must(t, err)
	all, err := in.look(t.Context(), p.Name)
	must(t, err)
	if len(all.services[s]) == 0 {
		return ""
	}
	return stateOf(all.services[s][0])
}

func projectName(t *testing.T, in *Instance) string {
	t.Helper()
	p, err := in.load(t.Context())
	must(t, err)
	return p.Name
}

func TestStopAndStartFindTheirWorkDone(t *testing.T) {
	in := declare(t, upped(t))
	for range 2 {
		must(t, in.Stop(t.Context(), "store"))
		if store, web := state(t, in, "store"), state(t, in, "web"); store != "exited" || web != "running" {
			t.Errorf("store is %s, web is %s", store, web)
		}
	}
	for range 2 {
		must(t, in.Start(t.Context(), "store"))
		if got := state(t, in, "store"); got != "running, healthy" {
			t.Errorf("store is %s", got)
		}
	}
	docker(t, "pause", projectName(t, in)+"-web-1")
	must(t, in.Stop(t.Context(), ""))
	if store, web := state(t, in, "store"), state(t, in, "web"); store != "exited" || web != "exited" {
		t.Errorf("store is %s, web is %s", store, web)
	}
	must(t, in.Start(t.Context(), ""))
	if store, web := state(t, in, "store"), state(t, in, "web"); store != "running, healthy" || web != "running" {
		t.Errorf("store is %s, web is %s", store, web)
	}
	if all := found(check(t, in)); len(all) != 0 {
		t.Errorf("afterwards it finds %q", all)
	}
}

// TestStopGivesTheDeclaredGrace: a service that does not obey is killed after
// stop_grace_period, not after the engine's 10 s.
func TestStopGivesTheDeclaredGrace(t *testing.T) {
	in := declare(t, upped(t, "    init: true\n    stop_grace_period: 3s\n    healthcheck", "    stop_grace_period: 1s\n    healthcheck"))
	before := time.Now()
	must(t, in.Stop(t.Context(), "store"))
	if took := time.Since(before); took < time.Second || took > 9*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

func TestOrderOfServices(t *testing.T) {
	in := declare(t, stack(t))
	_, names, err := in.units(t.Context(), "")
	must(t, err)
	if !slices.Equal(names, []string{"migrate", "store", "web"}) {
		t.Errorf("web needs the others, the order is %q", names)
	}
}

func TestUsersAreWhoRunsAndNeedsIt(t *testing.T) {
	in := declare(t, upped(t, "  debug:\n", "  alone:\n    image: lab/base:1\n  beside:\n    image: lab/base:1\n    depends_on: [web]\n  debug:\n"))
	users := func(units ...string) []string {
		t.Helper()
		names, err := in.Users(t.Context(), units)
		must(t, err)
		return names
	}
	if got := users("store"); !slices.Equal(got, []string{"beside", "web"}) {
		t.Errorf("the store is used by %q", got)
	}
	if got := users("store", "web"); !slices.Equal(got, []string{"beside"}) {
		t.Errorf("the store and web are used by %q", got)
	}
	must(t, in.Stop(t.Context(), "web"))
	if got := users("store"); !slices.Equal(got, []string{"beside"}) {
		t.Errorf("without web the store is used by %q", got)
	}
}

func TestWhatCannotBeStarted(t *testing.T) {
	s := upped(t)
	in := declare(t, s)
	name := filepath.Base(s.Dir)
	if err := in.Start(t.Context(), "nobody"); !errors.Is(err, service.ErrUndeclared) {
		t.Errorf("start of an unknown service: %v", err)
	}
	if err := in.Stop(t.Context(), "nobody"); !errors.Is(err, service.ErrUndeclared) {
		t.Errorf("stop of an unknown service: %v", err)
	}
	docker(t, "rm", "--force", name+"-web-1")
	refused(t, in.Start(t.Context(), "web"), "compose.not-created", service.ErrNotFound)
	must(t, in.Stop(t.Context(), "web"))

	docker(t, "exec", name+"-store-1", "touch", "/tmp/sick")
	finds(t, in, "critical unhealthy store")
	id, args := service.ErrorID(in.Start(t.Context(), "store"))
	if id != "compose.does-not-start" || args["state"] != "running, unhealthy" {
		t.Errorf("start of a sick service: %s %v", id, args)
	}
}

func TestAServiceThatEndsAtOnceIsNotUp(t *testing.T) {
	s := stack(t, "    command: [sleep, infinity]\n    init: true\n    stop_grace_period: 3s\n    depends_on:", "    command: [\"false\"]\n    depends_on:")
	must(t, s.Up(t.Context()))
	in := declare(t, s)
	id, _ := service.ErrorID(in.Start(t.Context(), "web")) // restarted by the engine again and again
	if id != "compose.does-not-start" {
		t.Errorf("start of a loop: %s", id)
	}
	must(t, in.Stop(t.Context(), "web"))
	change(t, s, "    restart: unless-stopped\n", "")
	must(t, s.Up(t.Context(), "web"))
	id, args := service.ErrorID(in.Start(t.Context(), "web"))
	if id != "compose.does-not-start" || !strings.Contains(args["state"].(string), "exit code 1") {
		t.Errorf("start of what ends: %s %v", id, args)
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	s := stack(t, "interval: 1s", "interval: 60s", "store: {condition: service_healthy}", "store: {condition: service_started}")
	must(t, s.Up(t.Context()))
	in := declare(t, s)
	must(t, in.Stop(t.Context(), "store"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := in.Start(ctx, "store"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("start without a first health check: %v", err)
	}
}

func TestCareIsARestartInAPlan(t *testing.T) {
	s := upped(t)
	in := declare(t, s)
	steps, err := in.Maintenance(t.Context())
	must(t, err)
	if len(steps) != 0 {
		t.Fatalf("a stack that is well needs %v", steps)
	}
	docker(t, "exec", filepath.Base(s.Dir)+"-store-1", "touch", "/tmp/sick")
	finds(t, in, "critical unhealthy store")
	steps, err = in.Maintenance(t.Context())
	must(t, err)
	if len(steps) != 1 || steps[0].Risk != service.Disruptive || steps[0].Title.ID != "compose.restart-unhealthy" || steps[0].Target != in.env.Target {
		t.Fatalf("steps %+v", steps)
	}
	if state(t, in, "store") != "running, unhealthy" {
		t.Error("planning changed the container")
	}
	// The container's own /tmp survives a restart: it stays sick, and that is said.
	id, _ := service.ErrorID(second(in.Do(t.Context(), steps[0], service.Report{})))
	if id != "compose.does-not-start" {
		t.Errorf("a restart that heals nothing says %q", id)
	}
	docker(t, "exec", filepath.Base(s.Dir)+"-store-1", "rm", "/tmp/sick")
	gone(t, in, "critical unhealthy store")
	out, err := in.Do(t.Context(), steps[0], service.Report{})
	must(t, err)
	if out.Verdict.Facts["found_done"] != true {
		t.Errorf("a restart that was done is done again: %v", out)
	}
	must(t, s.Up(t.Context(), "--force-recreate", "store"))
	if err := second(in.Do(t.Context(), steps[0], service.Report{})); !errors.Is(err, service.ErrStale) {
		t.Errorf("a container that was made anew: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAContainerThatRanForLongIsDue(t *testing.T) {
	in := declare(t, upped(t), expect("web", Expected{RestartAfter: 1}))
	steps, err := in.Maintenance(t.Context())
	must(t, err)
	if len(steps) != 1 || steps[0].Title.ID != "compose.restart-due" {
		t.Fatalf("steps %+v", steps)
	}
	var args restartArgs
	must(t, json.Unmarshal(steps[0].Args, &args))
	out, err := in.Do(t.Context(), steps[0], service.Report{})
	must(t, err)
	p, err := in.load(t.Context())
	must(t, err)
	seen, err := in.look(t.Context(), p.Name)
	must(t, err)
	if now := seen.services["web"][0]; now.ID != args.Container || now.State.StartedAt == args.Started || out.Verdict.Facts["found_done"] != false {
		t.Errorf("not restarted: %v, %v", now.State, out)
	}
	if err := second(in.Do(t.Context(), service.Step{Op: "prune"}, service.Report{})); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("an unknown step: %v", err)
	}
}
