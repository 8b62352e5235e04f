package repository_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/internal/repository"
)

// point makes a complete point of the given day and hour.
func point(id string, at time.Time, targets ...string) repository.Point {
	p := repository.Point{ID: id, System: "cot", Reason: repository.ReasonBackup, Taken: at, Complete: true}
	for _, t := range targets {
		p.Targets = append(p.Targets, repository.TargetCopy{Target: t})
	}
	return p
}

func proven(p repository.Point) repository.Point     { p.Proven = p.Taken; return p }
func incomplete(p repository.Point) repository.Point { p.Complete = false; return p }
func broken(p repository.Point) repository.Point     { p.Damaged = p.Taken; return p }
func saved(p repository.Point, expires time.Time) repository.Point {
	p.Reason, p.Expires = repository.ReasonBeforeRestore, expires
	return p
}

func TestKeepRules(t *testing.T) {
	at := func(d, hour int) time.Time { return time.Date(2026, 11, d, hour, 0, 0, 0, time.UTC) }
	now := at(28, 12)
	for name, c := range map[string]struct {
		points []repository.Point
		keep   repository.Keep
		want   string
	}{
		"last":             {[]repository.Point{point("a", at(1, 2), "db"), point("b", at(2, 2), "db"), point("c", at(3, 2), "db")}, repository.Keep{Last: 2}, "c:last b:last -a"},
		"newest of a day":  {[]repository.Point{point("a", at(1, 2), "db"), point("b", at(1, 14), "db"), point("c", at(2, 2), "db")}, repository.Keep{Daily: 2}, "c:daily b:daily -a"},
		"hours":            {[]repository.Point{point("a", at(1, 2), "db"), point("b", at(1, 3), "db")}, repository.Keep{Hourly: 1}, "b:hourly -a"},
		"rules add up":     {[]repository.Point{point("a", at(1, 2), "db"), point("b", at(9, 2), "db"), point("c", at(10, 2), "db")}, repository.Keep{Last: 1, Weekly: 2, Monthly: 1}, "c:last+weekly+monthly -b a:weekly"},
		"days without one": {[]repository.Point{point("a", at(1, 2), "db"), point("b", at(20, 2), "db")}, repository.Keep{Daily: 7}, "b:daily a:daily"},
		"no rule":          {[]repository.Point{point("a", at(1, 2), "db")}, repository.Keep{}, "a:no-rule"},
		"only proven":      {[]repository.Point{point("a", at(1, 2), "db")}, repository.Keep{NeverBelowProven: 1}, "a:no-rule"},
		"proven stays": {[]repository.Point{proven(point("a", at(1, 2), "db")), proven(point("b", at(2, 2), "db")), point("c", at(3, 2), "db")},
			repository.Keep{Last: 1, NeverBelowProven: 1}, "c:last b:proven -a"},
		"each target counts": {[]repository.Point{point("a", at(1, 2), "db"), point("b", at(2, 2), "cache"), point("c", at(3, 2), "cache")},
			repository.Keep{Last: 1}, "c:last -b a:last"},
		"incomplete takes no place": {[]repository.Point{point("a", at(1, 2), "db"), incomplete(point("b", at(2, 2), "db"))},
			repository.Keep{Last: 1}, "b:incomplete a:last"},
		"damaged takes no place": {[]repository.Point{point("a", at(1, 2), "db"), broken(proven(point("b", at(2, 2), "db")))},
			repository.Keep{Last: 1, NeverBelowProven: 1}, "b:damaged a:last"},
		"the future takes no place": {[]repository.Point{point("a", at(1, 2), "db"), point("b", at(29, 2), "db")},
			repository.Keep{Last: 1}, "b:from-the-future a:last"},
		"before a restore": {[]repository.Point{saved(point("a", at(1, 2), "db"), at(2, 2)), saved(point("b", at(2, 2), "db"), at(29, 2)), saved(point("c", at(3, 2), "db"), time.Time{})},
			repository.Keep{Last: 1}, "c:before-restore b:before-restore -a:expired"},
	} {
		if got := show(repository.Decide(c.points, c.keep, now)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func show(decisions []repository.Decision) string {
	var words []string
	for _, d := range decisions {
		word := d.Point
		if len(d.Rules) > 0 {
			word += ":" + strings.Join(d.Rules, "+")
		}
		if !d.Keep {
			word = "-" + word
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// anyPoints draws points of two targets over two years, some of them special.
func anyPoints(t *rapid.T) []repository.Point {
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	var points []repository.Point
	for i := range rapid.IntRange(0, 40).Draw(t, "points") {
		at := start.Add(time.Duration(rapid.IntRange(0, 2*365*24).Draw(t, "hours")) * time.Hour)
		targets := rapid.SampledFrom([][]string{{"db"}, {"cache"}, {"cache", "db"}}).Draw(t, "targets")
		p := point(fmt.Sprintf("p%02d", i), at, targets...)
		switch rapid.IntRange(0, 9).Draw(t, "sort") {
		case 0:
			p = incomplete(p)
		case 1:
			p = broken(p)
		case 2:
			p = saved(p, at.Add(24*time.Hour))
		case 3, 4, 5:
			p = proven(p)
		}
		points = append(points, p)
	}
	return points
}

func anyKeep(t *rapid.T) repository.Keep {
	n := func(name string) int { return rapid.IntRange(0, 5).Draw(t, name) }
	return repository.Keep{Last: n("last"), Hourly: n("hourly"), Daily: n("daily"), Weekly: n("weekly"), Monthly: n("monthly"), Yearly: n("yearly"), NeverBelowProven: n("proven")}
}

func TestRetentionNeverTakesTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, keep := anyPoints(t), anyKeep(t)
		now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(-9000, 9000).Draw(t, "now")) * time.Hour)
		goes := map[string]bool{}
		for _, d := range repository.Decide(points, keep, now) {
			goes[d.Point] = !d.Keep
		}
		if len(goes) != len(points) {
			t.Fatalf("%d decisions over %d points", len(goes), len(points))
		}
		for _, target := range []string{"db", "cache"} {
			counted := countable(points, target, now)
			if len(counted) > 0 && goes[counted[0].ID] {
				t.Fatalf("the newest copy of %s goes", target)
			}
			for _, p := range counted[:min(keep.Last, len(counted))] {
				if goes[p.ID] {
					t.Fatalf("%s is among the last %d of %s and goes", p.ID, keep.Last, target)
				}
			}
			safe := slices.DeleteFunc(slices.Clone(counted), func(p repository.Point) bool { return p.Proven.IsZero() })
			for _, p := range safe[:min(keep.NeverBelowProven, len(safe))] {
				if goes[p.ID] {
					t.Fatalf("%s is among the newest %d proven of %s and goes", p.ID, keep.NeverBelowProven, target)
				}
			}
		}
		for _, p := range points {
			ordinary := p.Complete && p.Damaged.IsZero() && p.Reason == repository.ReasonBackup
			expired := p.Reason == repository.ReasonBeforeRestore && now.After(p.Expires) && p.Complete
			if goes[p.ID] && (p.Taken.After(now) || !ordinary && !expired) {
				t.Fatalf("%+v goes at %s", p, now)
			}
		}
	})
}

func countable(points []repository.Point, target string, now time.Time) []repository.Point {
	counted := slices.DeleteFunc(slices.Clone(points), func(p repository.Point) bool {
		_, found := p.Target(target)
		return !found || !p.Complete || !p.Damaged.IsZero() || p.Reason != repository.ReasonBackup || p.Taken.After(now)
	})
	slices.SortFunc(counted, func(a, b repository.Point) int {
		if c := b.Taken.Compare(a.Taken); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	return counted
}

func TestDecidingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, keep := anyPoints(t), anyKeep(t)
		now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		gone := map[string]bool{}
		for _, d := range repository.Decide(points, keep, now) {
			gone[d.Point] = !d.Keep
		}
		left := slices.DeleteFunc(slices.Clone(points), func(p repository.Point) bool { return gone[p.ID] })
		for _, d := range repository.Decide(left, keep, now) {
			if !d.Keep {
				t.Fatalf("%s goes the second time", d.Point)
			}
		}
	})
}

func TestRetainRemovesWhatNoRuleKeeps(t *testing.T) {
	r, path := create(t)
	for n := 1; n <= 4; n++ {
		backUp(t, r, fmt.Sprint("p", n), day(n), texts("a", fmt.Sprint(n)))
	}
	if err := r.MarkProven(t.Context(), "p1", day(5), repository.Proof{}); err != nil {
		t.Fatal(err)
	}
	other := header("other", day(1))
	other.System = "other"
	w := begin(t, r, other)
	store(t, w, "files", texts("a", "x"))
	seal(t, w)
	keep := repository.Keep{System: "cot", Last: 2, NeverBelowProven: 1}
	decisions, err := r.Retain(t.Context(), keep, true)
	if got := show(decisions); err != nil || got != "p4:last p3:last -p2 p1:proven" {
		t.Fatalf("decided %s (%v)", got, err)
	}
	expectPoints(t, r, "p4", "p3", "p2", "p1", "other")
	if _, err := r.Retain(t.Context(), keep, false); err != nil {
		t.Fatal(err)
	}
	expectPoints(t, reopen(t, path), "p4", "p3", "p1", "other")
	if _, err := r.Retain(t.Context(), repository.Keep{Last: -1}, false); err == nil {
		t.Error("a negative count was accepted")
	}
}
