package journal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// A history is one letter per finding and run: "ab a ?  a" is four runs, the third
// of which could not tell. "!" could not tell and is followed by what was found
// before the error; "-" is a run that found nothing.
func TestAFindingHasTheAgeOfItsRow(t *testing.T) {
	for name, tc := range map[string]struct {
		history string
		want    string // index of the run in which the row of each finding of the last run began
	}{
		"found for the first time":                      {"a", "a0"},
		"found again":                                   {"a a a", "a0"},
		"gone once":                                     {"a - a", "a2"},
		"gone once, found since":                        {"a - a a", "a2"},
		"could not tell breaks nothing":                 {"a ? a", "a0"},
		"could not tell for long":                       {"a ? ? ? a", "a0"},
		"could not tell, then gone":                     {"a ? - a", "a3"},
		"gone, then could not tell":                     {"a - ? a", "a3"},
		"found although the rest could not be told":     {"- !a a", "a1"},
		"not found by a run that could not tell all":    {"ab !b ab", "a0 b0"},
		"each finding has its own row":                  {"a ab b ab", "a3 b1"},
		"first found while the run could not tell":      {"?  !a ? a", "a1"},
		"the same finding of two subjects is two":       {"a A aA", "a2 A1"},
		"rows that broke long ago do not come back":     {"a - - - ? a", "a5"},
		"a row that began while others went":            {"abc bc c abc", "a3 b3 c0"},
		"a run that could not tell starts after a gap ": {"a - !a a", "a2"},
	} {
		t.Run(name, func(t *testing.T) {
			j, _ := open(t)
			var last []journal.Finding
			for i, run := range strings.Fields(tc.history) {
				last = play(t, j, "check", i, run)
			}
			if got := ages(last); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func startOf(i int) time.Time { return start.Add(time.Duration(i) * time.Hour) }

// play records one run and returns its findings with their ages.
func play(t testing.TB, j *journal.Journal, verb string, i int, found string) []journal.Finding {
	t.Helper()
	ctx := t.Context()
	run := check(fmt.Sprintf("%s-%d", verb, i), startOf(i))
	run.Verb = verb
	result := target("db", service.Warning)
	if strings.ContainsAny(found, "?!") {
		result.Error = &journal.Problem{ID: "error.unreachable", Detail: "refused"}
		result.Verdict = service.Unknown
	}
	for _, letter := range strings.Trim(found, "?!-") {
		result.Findings = append(result.Findings, finding("kind."+strings.ToLower(string(letter)), subject(letter)))
	}
	err := j.Begin(ctx, run)
	if err == nil {
		result.Findings, err = j.Since(ctx, run.System, verb, "db", result.Findings, run.Started)
	}
	if err == nil {
		err = j.SaveTarget(ctx, run.ID, result)
	}
	if err != nil {
		t.Fatal(err)
	}
	return result.Findings
}

func subject(letter rune) string {
	if letter < 'a' {
		return "upper"
	}
	return ""
}

func ages(found []journal.Finding) string {
	var all []string
	for _, f := range found {
		letter := strings.TrimPrefix(f.ID, "kind.")
		if f.Subject == "upper" {
			letter = strings.ToUpper(letter)
		}
		all = append(all, fmt.Sprintf("%s%d", letter, int(f.Since.Sub(start).Hours())))
	}
	slices.Sort(all)
	// lower case first, as the table is written
	slices.SortStableFunc(all, func(a, b string) int { return strings.Compare(strings.ToLower(a[:1]), strings.ToLower(b[:1])) })
	if len(all) == 2 && all[0][0] < 'a' {
		all[0], all[1] = all[1], all[0]
	}
	return strings.Join(all, " ")
}

func TestRowsOfOtherVerbsAndTargetsDoNotMix(t *testing.T) {
	j, _ := open(t)
	play(t, j, "check", 0, "a")
	if got := ages(play(t, j, "audit", 1, "a")); got != "a1" {
		t.Errorf("audit takes the age of check: %s", got)
	}
	play(t, j, "audit", 2, "-")
	if got := ages(play(t, j, "check", 3, "a")); got != "a0" {
		t.Errorf("audit broke the row of check: %s", got)
	}
	aged, err := j.Since(t.Context(), "shop", "check", "cache", []journal.Finding{finding("kind.a", "")}, startOf(4))
	must(t, err)
	if got := ages(aged); got != "a4" {
		t.Errorf("cache takes the age of db: %s", got)
	}
}

// A run may say what it found in pieces: the first must not break the rows of the
// second.
func TestARunInPiecesContinuesEveryRow(t *testing.T) {
	j, _ := open(t)
	play(t, j, "check", 0, "ab")
	run := check("pieces", startOf(1))
	must(t, j.Begin(t.Context(), run))
	said := target("db", service.Warning)
	for _, id := range []string{"kind.a", "kind.b"} {
		aged, err := j.Since(t.Context(), "shop", "check", "db", []journal.Finding{finding(id, "")}, run.Started)
		must(t, err)
		said.Findings = append(said.Findings, aged...)
		must(t, j.SaveTarget(t.Context(), run.ID, said))
	}
	if got := ages(said.Findings); got != "a0 b0" {
		t.Errorf("got %s", got)
	}
}

// The table above against a model that looks back over the whole history.
func TestRowsMatchTheirDefinition(t *testing.T) {
	outcome := rapid.SampledFrom([]string{"-", "?", "a", "b", "ab", "!a", "!b"})
	rapid.Check(t, func(rt *rapid.T) {
		runs := rapid.SliceOfN(outcome, 1, 9).Draw(rt, "runs")
		j, _ := open(t)
		defer j.Close()
		for i, run := range runs {
			for _, f := range play(t, j, "check", i, run) {
				letter := strings.TrimPrefix(f.ID, "kind.")
				if want := startOf(rowStart(runs[:i+1], letter)); !f.Since.Equal(want) {
					rt.Fatalf("%v: %s of run %d is since %v, want %v", runs, letter, i, f.Since, want)
				}
			}
		}
	})
}

func rowStart(runs []string, letter string) int {
	first := len(runs) - 1
	for i := first; i >= 0; i-- {
		switch {
		case strings.Contains(runs[i], letter):
			first = i
		case !strings.ContainsAny(runs[i], "?!"):
			return first
		}
	}
	return first
}
