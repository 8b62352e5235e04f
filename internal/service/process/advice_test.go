package process

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// sizes is a machine with 8 GB, of which 7 are left, and workers of 350 MB that hardly use a
// core.
func sizes(t *testing.T, declaration string, running int) sizing {
	t.Helper()
	const gb = 1_000_000_000
	now := time.Now()
	return sizing{cfg: declare(t, declaration), running: running, exact: true, now: now,
		held: int64(running) * 350_000_000,
		one:  sized{Memory: held{At: now, Bytes: 350_000_000, Exact: true}, CPU: used{At: now, Cores: 0.01, Over: 60}},
		room: room{available: 7 * gb, cores: 2}}
}

func TestBindingLimitOfWorkers(t *testing.T) {
	const quota = "{command: [x], workers: {requests: 30/m, provider: {keys: 2, at_once: 5}}}"
	const queries = "{command: [x], workers: {requests: 30/m, provider: {keys: 2, requests: 5/s}}}"
	const plain = "{command: [x], workers: {memory: 1 MB}}"
	cases := map[string]struct {
		declaration string
		running     int
		change      func(*sizing)
		bound       string
		proposed    int
		id          string
	}{
		"memory":                {plain, 0, nil, "memory", 16, "workers-fit"},
		"what they hold":        {plain, 5, nil, "memory", 20, "workers-fit"},
		"25 on 8 GB":            {plain, 25, func(s *sizing) { s.available = 0 }, "memory", 20, "workers-too-many"},
		"declared 25":           {"{command: [x], count: {max: 25}, workers: {memory: 1 MB}}", 1, nil, "memory", 16, "workers-too-many"},
		"at once":               {quota, 1, nil, "at-once", 10, "workers-fit"},
		"requests":              {queries, 25, nil, "requests", 20, "workers-too-many"},
		"cores":                 {plain, 1, func(s *sizing) { s.one.CPU.Cores = 0.9 }, "cores", 2, "workers-fit"},
		"more than all cores":   {plain, 1, func(s *sizing) { s.one.CPU.Cores = 3 }, "cores", 1, "workers-fit"},
		"control group":         {plain, 1, func(s *sizing) { s.group, s.groupFile = 700_000_000, "memory.max" }, "control-group", 2, "workers-fit"},
		"larger than all":       {plain, 1, func(s *sizing) { s.one.Memory.Bytes = 9_400_000_000 }, "memory", 0, "workers-too-many"},
		"larger than all, none": {plain, 0, func(s *sizing) { s.one.Memory.Bytes = 9_400_000_000 }, "memory", 0, "workers-too-many"},
		"declared is larger":    {"{command: [x], workers: {memory: 1 GB}}", 0, nil, "memory", 5, "workers-fit"},
	}
	for name, c := range cases {
		s := sizes(t, c.declaration, c.running)
		if c.change != nil {
			c.change(&s)
		}
		a := s.advice()
		if a.ID != c.id || a.Bounds[0].Name != c.bound || a.Proposed != c.proposed {
			t.Errorf("%s: %s, %v by %v", name, a.ID, a.Proposed, a.Bounds)
		}
	}
}

func TestWhatIsNotKnownGivesNoNumber(t *testing.T) {
	for lacks, change := range map[string]func(*sizing){
		"memory": func(s *sizing) { s.one.Memory = held{} },
		"cpu":    func(s *sizing) { s.one.CPU = used{} },
	} {
		s := sizes(t, "{command: [x], workers: {share: 70%}}", 0)
		change(&s)
		a := s.advice()
		if a.ID != "workers-unknown" || a.Severity != service.Unknown || a.Proposed != nil || a.Args["lacks"] != lacks {
			t.Errorf("without %s: %+v", lacks, a)
		}
	}
	s := sizes(t, "{command: [x], workers: {share: 70%}}", 1)
	if a := s.advice(); a.Confidence() != service.Measured {
		t.Errorf("all is measured: %s", a.Confidence())
	}
	s.cfg.Workers.Provider.AtOnce = 3
	if a := s.advice(); a.Confidence() != service.Declared {
		t.Errorf("one is declared: %s", a.Confidence())
	}
}

func TestWorkersOfKnownSize(t *testing.T) {
	name := program(t)
	env := servicetest.Env(t)
	at := time.Now()
	env.Now = func() time.Time { return at }
	in := watch(t, env, "{command: ["+name+"], expect: either, workers: {share: 50%}}")
	ask := func() service.Advice {
		advice, err := in.Advise(t.Context())
		if err != nil || len(advice) != 1 {
			t.Fatalf("%v, %v", advice, err)
		}
		return advice[0]
	}
	if a := ask(); a.ID != "workers-unknown" || a.Args["lacks"] != "memory" {
		t.Errorf("nothing ever ran: %+v", a)
	}
	first, second := child(t, "hold", name), child(t, "hold", name)
	if a := ask(); a.ID != "workers-unknown" || a.Args["lacks"] != "cpu" {
		t.Errorf("they have just begun: %+v", a)
	}
	check(t, in)
	at = at.Add(time.Minute)
	a := ask()
	one, _ := a.Args["memory"].(int64)
	if a.Present != 2 || math.Abs(float64(one)-64*megabyte) > 24*megabyte {
		t.Errorf("two that hold 64 MB each: %+v", a)
	}
	check(t, in)
	first.end()
	second.end()
	at = at.Add(time.Hour)
	check(t, in)
	if b := ask(); b.Present != 0 || b.Args["memory"] != a.Args["memory"] || b.Confidence() != service.Measured {
		t.Errorf("they have ended: %+v", b)
	}
}

func TestLimitsOfControlGroups(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		group int64
		cores float64
	}{
		"version 2, the one above is tighter": {map[string]string{
			"a/memory.max": "500", "a/memory.current": "300", "a/memory.stat": "anon 1\ninactive_file 100\n", "a/cpu.max": "150000 100000\n",
			"a/b/memory.max": "max\n", "a/b/memory.current": "200", "a/b/memory.stat": "inactive_file 100\n", "a/b/cpu.max": "max 100000\n"}, 300, 1.5},
		"version 1": {map[string]string{
			"memory/a/b/memory.limit_in_bytes": "500", "memory/a/b/memory.usage_in_bytes": "450", "memory/a/b/memory.stat": "inactive_file 1\ntotal_inactive_file 50\n",
			"cpu/a/b/cpu.cfs_quota_us": "50000", "cpu/a/b/cpu.cfs_period_us": "100000"}, 100, 0.5},
		"version 1 without limits": {map[string]string{
			"memory/a/b/memory.limit_in_bytes": "9223372036854771712", "cpu/a/b/cpu.cfs_quota_us": "-1", "cpu/a/b/cpu.cfs_period_us": "100000"}, -1, 64},
		"not shown here": {map[string]string{"memory.max": "500", "memory.current": "100", "memory.stat": ""}, 400, 64},
	}
	for name, c := range cases {
		in := &Instance{groups: t.TempDir()}
		for path, text := range c.files {
			path = filepath.Join(in.groups, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := room{available: 1000, cores: 64, group: -1}
		for _, controller := range []string{"memory", "cpu"} {
			ask := map[string]func(string, *room) error{"memory": memoryLeft, "cpu": coresGiven}[controller]
			if err := in.climb([]string{"", controller}, "/a/b", &r, ask); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r.group != c.group || r.cores != c.cores {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
