package process

import (
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

const megabyte = 1 << 20

func TestSlopeIsNotBentByOneLoadOrAPeak(t *testing.T) {
	steady := func(perPoint int64) (points []point) {
		for i := range int64(13) {
			points = append(points, point{At: i * 10 * time.Minute.Milliseconds(), Bytes: 300*megabyte + i*perPoint})
		}
		return points
	}
	loaded := steady(0)
	loaded[0].Bytes = 50 * megabyte
	peak := steady(0)
	peak[6].Bytes = 900 * megabyte
	sawtooth := steady(0)
	for i := range sawtooth {
		sawtooth[i].Bytes += int64(i%3) * 40 * megabyte
	}
	cases := map[string]struct {
		points []point
		rate   float64 // MB an hour
		leaks  bool
	}{
		"grows by 10 MB every 10 minutes": {steady(10 * megabyte), 60, true},
		"rests":                           {steady(0), 0, false},
		"loads once":                      {loaded, 0, false},
		"has one peak":                    {peak, 0, false},
		"is collected now and then":       {sawtooth, 0, false},
		"shrinks":                         {steady(-10 * megabyte), -60, false},
	}
	for name, c := range cases {
		rate, least := slope(c.points)
		if math.Abs(rate-c.rate*megabyte) > megabyte/2 || (least > megabyte) != c.leaks || least > rate {
			t.Errorf("%s: %.1f MB an hour, at least %.1f", name, rate/megabyte, least/megabyte)
		}
	}
}

func TestGrowthIsJudgedWhenItWasWatchedLongEnough(t *testing.T) {
	g := Growth{PerHour: 1, Over: growthOver, AtLeast: 6}
	var points []point
	at := int64(0)
	looks := 0
	for ; ; looks++ {
		now := point{At: at, Bytes: at, Exact: true}
		l, known := g.of("17:3", points, now)
		if known {
			if l.pid != 17 || l.over != g.Over.Std() || looks != 12 {
				t.Errorf("known after %d looks as %+v", looks, l)
			}
			break
		}
		points = g.thinned(points, now)
		at += (10 * time.Minute).Milliseconds()
	}
	for range 1000 { // a look every second: no more is kept
		at += 1000
		points = g.thinned(points, point{At: at, Bytes: at, Exact: true})
	}
	if len(points) > mostPoints || points[len(points)-1].At-points[len(points)-2].At < (2*time.Minute).Milliseconds() {
		t.Errorf("%d points are kept", len(points))
	}
	if again := g.thinned(points, point{At: at + 1, Exact: false}); len(again) != 1 {
		t.Errorf("points by two measures stand side by side: %v", again)
	}
}

// growing is a real process that takes 16 MB more whenever it is told to.
func growing(t *testing.T, name string) func() {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: exe, Args: []string{name}, Env: append(os.Environ(), "UPKEEP_TEST_ROLE=grow")}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return func() {
		if _, err := in.Write([]byte{'\n'}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLeakOfARealProcess(t *testing.T) {
	name := program(t)
	env := servicetest.Env(t)
	now := time.Now()
	env.Now = func() time.Time { return now }
	more := growing(t, name)
	more()
	in := watch(t, env, "{command: ["+name+"], growth: {per_hour: 50 MB, over: 2h}}")
	var got map[string]service.Finding
	var facts service.Facts
	for look := range 13 {
		got, facts = check(t, in)
		if look < 12 && len(got) > 0 {
			t.Fatalf("look %d found %v", look, got)
		}
		if look < 12 {
			more()
			now = now.Add(10 * time.Minute)
		}
	}
	leak := got["leaking"]
	rate, _ := leak.Args["per_hour"].(int64)
	if leak.Severity != service.Warning || math.Abs(float64(rate)-96*megabyte) > 5*megabyte || leak.Args["points"] != 13 {
		t.Errorf("16 MB more every 10 minutes is found as %v with %v", leak, facts)
	}
	now = now.Add(3 * time.Hour)
	for range 20 { // it stopped growing
		got, _ = check(t, in)
		now = now.Add(10 * time.Minute)
	}
	if len(got) > 0 {
		t.Errorf("it rests for three hours and is found as %v", got)
	}
}

func TestGrowthOfAProcessCountsItsChildren(t *testing.T) {
	name := program(t)
	child(t, "parent of one that holds", name)
	in := watch(t, servicetest.Env(t), "{command: ["+name+"], growth: {per_hour: 1 GB}}")
	until(t, func() bool { _, facts := check(t, in); return facts["memory_bytes"].(int64) > 64*megabyte })
}

func TestDeclarationOfGrowthAndWorkers(t *testing.T) {
	cfg := Config{Command: []string{"x"}, Expect: Alive, Growth: Growth{PerHour: -1, AtLeast: 3},
		Workers: Workers{Memory: -1, Provider: Provider{Keys: -1, Requests: 1}}}
	var paths []string
	for _, p := range cfg.Validate() {
		paths = append(paths, p.Path)
	}
	want := "growth.per_hour growth.over growth.at_least workers.memory workers.provider workers.requests"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("problems at %q", got)
	}
}
