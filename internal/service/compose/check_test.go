package compose

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"upkeep/lab"
)

// TestOneStack holds one stack that is well against files and declarations that
// change; what runs stays as it is.
func TestOneStack(t *testing.T) {
	s := upped(t)
	for name, test := range map[string]func(*testing.T, lab.Stack){
		"well": nothingToTell, "declaration": heldToTheFiles, "volumes": volumesMustExist, "variables": variablesWithoutAValue,
		"settings": eachDifferenceHasItsName,
	} {
		t.Run(name, func(t *testing.T) {
			original(t, s)
			test(t, s)
		})
	}
}

func nothingToTell(t *testing.T, s lab.Stack) {
	in := declare(t, s)
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

// TestEachFaultIsFoundAndForgotten brings about one fault after the other in a
// stack that is well, wants its finding, mends it and wants the finding gone.
func TestEachFaultIsFoundAndForgotten(t *testing.T) {
	s := upped(t)
	in := declare(t, s)
	project := filepath.Base(s.Dir)
	store, web := project+"-store-1", project+"-web-1"
	upAgain := func(t *testing.T) { must(t, s.Up(t.Context(), "--wait")) }
	run := func(args ...string) func(*testing.T) { return func(t *testing.T) { docker(t, args...) } }
	container := func(name, of string) func(*testing.T) {
		return run("run", "--detach", "--name", name, "--network", "none", "--label", labelProject+"="+project,
			"--label", labelService+"="+of, "--label", labelOneOff+"=False", "--log-driver", "none", lab.BaseImage)
	}
	for _, tc := range []struct {
		name, want   string
		breaks, mend func(*testing.T)
	}{
		{"removed", "critical missing web", run("rm", "--force", web), upAgain},
		{"killed", "critical exited store", run("kill", store), upAgain},
		{"a server that ended with 0", "critical stopped migrate",
			func(*testing.T) { in.cfg.Services = map[string]Expected{"migrate": {Expect: running}} },
			func(*testing.T) { in.cfg.Services = nil }},
		{"paused", "critical paused web", run("pause", web), run("unpause", web)},
		{"unhealthy", "critical unhealthy store", run("exec", store, "touch", "/tmp/sick"), run("exec", store, "rm", "/tmp/sick")},
		{"orphan", "warning orphan left-over", container("left-over", "old"), run("rm", "--force", "left-over")},
		{"one too many", "warning too-many store", container("second", "store"), run("rm", "--force", "second")},
		{"a job that failed", "critical exited migrate",
			func(t *testing.T) {
				change(t, s, "[echo, migrated]", `["false"]`)
				_, err := engine.Compose(t.Context(), s.Dir, "up", "--detach", "migrate")
				must(t, err)
			},
			func(t *testing.T) { original(t, s); upAgain(t) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.breaks(t)
			finds(t, in, tc.want)
			tc.mend(t)
			gone(t, in, tc.want)
		})
	}
}

func TestLoopsAndOutOfMemory(t *testing.T) {
	s := stack(t)
	change(t, s, "    command: [echo, migrated]\n", "    command: [echo, migrated]\n    networks: [default]\n",
		"    command: [sleep, infinity]\n    init: true\n    stop_grace_period: 3s\n    depends_on:",
		"    command: [sh, -c, 'echo no; exit 7']\n    depends_on:",
		"    image: lab/base:1\n    profiles: [debug]",
		"    image: lab/base:1\n    command: [tail, /dev/zero]\n    mem_limit: 32m\n    memswap_limit: 32m\n    logging: *limited")
	must(t, s.Up(t.Context()))
	in := declare(t, s)
	loop := finds(t, in, "critical restart-loop web")
	if loop.Args["code"] != 7 || loop.Args["restarts"].(int) < 3 {
		t.Errorf("loop %v", loop.Args)
	}
	killed := finds(t, in, "critical oom-killed debug")
	if killed.Args["limit"] != int64(32<<20) {
		t.Errorf("killed %v", killed.Args)
	}
	if all := found(check(t, in)); slices.Contains(all, "critical exited debug") {
		t.Errorf("one death is told twice: %v", all)
	}
}

func TestRestartsAreCountedSinceTheLastCheck(t *testing.T) {
	s := upped(t)
	in := declare(t, s)
	web := filepath.Base(s.Dir) + "-web-1"
	check(t, in)
	docker(t, "exec", "--detach", web, "sh", "-c", "kill -TERM 1") // the shell ends with the container
	eventually(t, func() (bool, any) {
		now := docker(t, "inspect", "--format", "{{.RestartCount}} {{.State.Status}}", web)
		return now == "1 running", now
	})
	first := finds(t, in, "warning restarted web")
	if first.Args["grown"] != 1 {
		t.Errorf("grown %v", first.Args)
	}
	if all := found(check(t, in)); slices.Contains(all, "warning restarted web") {
		t.Errorf("told again: %v", all)
	}
	patient := declare(t, s, expect("web", Expected{Restarts: 5}))
	if all := found(check(t, patient)); len(all) != 0 {
		t.Errorf("declared restarts are told: %v", all)
	}
}

func TestAnUndeclaredEndIsAWarning(t *testing.T) {
	s := stack(t, "      migrate: {condition: service_completed_successfully}\n", "")
	must(t, s.Up(t.Context()))
	in := declare(t, s)
	ended := finds(t, in, "warning ended migrate")
	if ended.Args["code"] != 0 {
		t.Errorf("%v", ended.Args)
	}
	in.cfg.Services = map[string]Expected{"migrate": {Expect: exited}}
	gone(t, in, "warning ended migrate")
}

func heldToTheFiles(t *testing.T, s lab.Stack) {
	in := declare(t, s, expect("web", Expected{Expect: absent}), expect("wbe", Expected{}), expect("gone", Expected{Expect: absent}))
	if all := found(check(t, in)); !slices.Equal(all, []string{"warning unexpected web", "warning not-in-files wbe"}) {
		t.Errorf("found %q", all)
	}
}

func TestHealthIsUnknownWhileItStarts(t *testing.T) {
	s := stack(t, "interval: 1s", "interval: 30s", "store: {condition: service_healthy}", "store: {condition: service_started}")
	must(t, s.Up(t.Context()))
	finds(t, declare(t, s), "unknown health-unknown store")
}

func TestSecretsStayOutOfWhatIsSaid(t *testing.T) {
	s := upped(t, `[CMD, test, "!", -e, /tmp/sick]`, `[CMD-SHELL, 'test ! -e /tmp/sick || { echo "first"; echo "login $$STORE_PASSWORD at redis://me:hush@db refused"; exit 1; }']`)
	docker(t, "exec", filepath.Base(s.Dir)+"-store-1", "touch", "/tmp/sick")
	sick := finds(t, declare(t, s), "critical unhealthy store")
	if said := sick.Args["said"]; said != "login … at redis://me:…@db refused" {
		t.Errorf("said %q", said)
	}
}

func TestALogWithoutALimitIsMeasured(t *testing.T) {
	s := upped(t, "    restart: unless-stopped\n    logging: *limited\n", "    restart: unless-stopped\n")
	docker(t, "exec", filepath.Base(s.Dir)+"-web-1", "sh", "-c", "echo 0123456789 > /proc/1/fd/1")
	endless := finds(t, declare(t, s), "warning log-unlimited")
	if !slices.Equal(endless.Args["services"].([]string), []string{"web"}) || endless.Args["measured"] != true || endless.Args["bytes"].(int64) < 11 {
		t.Errorf("%v", endless.Args)
	}
}

func volumesMustExist(t *testing.T, s lab.Stack) {
	in := declare(t, s)
	change(t, s, "stored: {}", "stored: {}\n  other: {}\n  given: {external: true}", `"stored:/data"`, `"stored:/data", "other:/other", "given:/given"`)
	all := found(check(t, in))
	project := filepath.Base(s.Dir)
	for _, want := range []string{"critical volume-missing given", "warning volume-missing " + project + "_other"} {
		if !slices.Contains(all, want) {
			t.Errorf("no %q in %q", want, all)
		}
	}
}

func variablesWithoutAValue(t *testing.T, s lab.Stack) {
	must(t, os.Remove(filepath.Join(s.Dir, ".env")))
	in := declare(t, s)
	unset := finds(t, in, "warning variables-unset")
	if !slices.Equal(unset.Args["names"].([]string), []string{"STORE_PASSWORD"}) {
		t.Errorf("%v", unset.Args)
	}
	drift := finds(t, in, "warning config-drift store")
	if !slices.Equal(drift.Args["variables"].([]string), []string{"STORE_PASSWORD"}) {
		t.Errorf("%v", drift.Args)
	}
}

// gone checks until a finding is no longer there.
func gone(t *testing.T, in *Instance, was string) {
	t.Helper()
	eventually(t, func() (bool, any) {
		all := found(check(t, in))
		return !slices.Contains(all, was), all
	})
}
