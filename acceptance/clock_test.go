package acceptance

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"upkeep/internal/service/all"
	"upkeep/internal/surface/cli"
)

// at runs upkeep inside this process at a time of our choosing.
func (s *system) at(now time.Time, args ...string) gjson.Result {
	s.t.Helper()
	var out, errs bytes.Buffer
	world := cli.World{Kinds: all.Kinds(), Getenv: os.Getenv, Now: func() time.Time { return now },
		In: os.Stdin, Out: &out, Err: &errs, Version: "test"}
	args = append(args, "--json", "-f", s.path("upkeep.yaml"))
	if code := cli.Run(s.t.Context(), world, args); code != 0 {
		s.t.Fatalf("upkeep %v at %s exited with %d:\n%s%s", args, now, code, out.String(), errs.String())
	}
	return gjson.ParseBytes(out.Bytes())
}

// TestClockGoingBack takes a point, sets the clock back by three days, takes
// another, and lets it go on from there. Nothing that keep: holds may go, and what
// was taken in the meantime must not hide what is newer.
func TestClockGoingBack(t *testing.T) {
	s := newSystem(t, "keep: {last: 2, never_below_proven: 1}\n")
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.FixedZone("", 8*3600))
	back := noon.Add(-72 * time.Hour)

	first := s.at(noon, "run", "daily").Get("run").String()
	ahead := s.at(noon, "points").Get("points.0.id").String()
	if ahead == "" || !s.at(noon, "points").Get("points.0.proven").Exists() {
		t.Fatalf("run %s proved nothing", first)
	}
	job := s.at(back, "run", "daily")
	second := job.Get("steps.#(verb==backup).run").String()
	third := s.at(back.Add(time.Hour), "backup", "uploads").Get("point.id").String()
	fourth := s.at(back.Add(2*time.Hour), "backup", "uploads").Get("point.id").String()

	// The one from the future is in nobody's place; of the others two are the last,
	// and of those with all targets there is one.
	points := s.at(back.Add(2*time.Hour), "points")
	s.wantPoints(points, ahead, fourth, third, second)
	if points.Get(`points.#(id=="`+second+`").proven`).String() == "" {
		t.Errorf("the job that ran after the clock went back proved another point than its own:\n%s", points.Raw)
	}
	if rules := points.Get(`points.#(id=="` + ahead + `").kept_by.0`).String(); rules != "from-the-future" {
		t.Errorf("the point from the future is kept by %q", rules)
	}
	// Runs are listed by their times, and no run is lost by that.
	runs := s.at(back.Add(2*time.Hour), "runs").Get("runs.#.started")
	started := []string{}
	for _, at := range runs.Array() {
		started = append(started, at.String())
	}
	if len(started) != 10 || !slices.IsSortedFunc(started, func(a, b string) int { return -compareTimes(t, a, b) }) {
		t.Errorf("%d runs are not in order: %v", len(started), started)
	}

	// The clock is right again: what was from the future counts, and the last two are
	// those of both days; the log is whole.
	later := noon.Add(24 * time.Hour)
	last := s.at(later, "run", "daily").Get("steps.#(verb==backup).run").String()
	s.wantPoints(s.at(later, "points"), last, ahead)
	s.at(later, "verify", ahead)
	s.at(later, "audit-log", "verify")
}

func compareTimes(t *testing.T, a, b string) int {
	x, errA := time.Parse(time.RFC3339, a)
	y, errB := time.Parse(time.RFC3339, b)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	return x.Compare(y)
}

// wantPoints wants these complete points in this order.
func (s *system) wantPoints(points gjson.Result, want ...string) {
	s.t.Helper()
	got := []string{}
	for _, id := range points.Get("points.#(complete==true)#.id").Array() {
		got = append(got, id.String())
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("points are %v, want %v", got, want)
	}
}
