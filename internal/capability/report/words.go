package report

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed results.yaml
var resultsText []byte

// Words is the verb's catalogue, under the prefix "report"; ResultsWords are those of results,
// under the same one.
func Words() []byte        { return text }
func ResultsWords() []byte { return resultsText }

func (t Text) say(id string, args map[string]any) string { return t.Words.Message("report."+id, args) }

// told is a line in words.
type told struct {
	Title       string
	Consequence string // of an error
	Fix         string
	Since       string // empty unless it is older than the run
	Began       time.Time
}

func (t Text) told(s Section, l Line) told {
	if l.Error != nil {
		return t.problem(s, l.Error, l.Target)
	}
	title, fix := t.Words.Finding(l.Finding.ID, l.Finding.Words(l.Target))
	words := told{Title: title, Fix: fix, Began: l.Finding.Since}
	if since := l.Finding.Since; !since.IsZero() && since.Before(s.Run.Started) {
		words.Since = t.Words.Since(since, t.Now)
	}
	return words
}

// problem says what could not be told or done, in the words of the verb.
func (t Text) problem(s Section, p *journal.Problem, target string) told {
	title, consequence, fix := t.Words.Error(p.ID, p.Words(target, s.Run.ID))
	if detail := reason(p); detail != "" {
		title = t.say("with-detail", args{"title": title, "detail": detail})
	}
	lead := "problem-" + s.Verb
	if !slices.Contains([]string{"check", "backup", "verify", "drill", "restore", "recover", "maintain", "reconcile", "logs", "tune", "diagnose", "repair", "merge", "dedup", "convert"}, s.Verb) {
		lead = "problem-other"
	}
	return told{Title: t.say(lead, args{"why": title}), Consequence: consequence, Fix: fix}
}

// detailAtMost keeps a server's novel from filling the page. The journal has all
// of it.
const detailAtMost = 300

// reason is an error's own English where the words of its ID are general: a fault
// with arguments speaks for itself.
func reason(p *journal.Problem) string {
	if !strings.HasPrefix(p.ID, "error.") || len(p.Args) > 0 || p.ID == "error.interrupted" {
		return ""
	}
	if r := []rune(p.Detail); len(r) > detailAtMost {
		return string(r[:detailAtMost]) + "…"
	}
	return p.Detail
}

// Summary is the one line that says how a verb went.
func (t Text) Summary(s Section) string {
	switch {
	case s.Skipped:
		return t.say("skipped", nil)
	case s.Problem != nil:
		return strings.Join(kept(t.tally(s), t.problem(s, s.Problem, "").Title), "  ")
	case s.open():
		return strings.Join(kept(t.tally(s), t.say("not-ended", nil)), "  ")
	case s.Verb == "report":
		return s.Run.Output
	case s.Verb == "backup":
		return t.copiedLine(s)
	case s.Verb == "reconcile" && len(s.failed()) == 0:
		return t.say("reconcile", args{"score": agreement(s.Run), "agree": clean(s)}) + t.accepted(s)
	case s.Verb == "logs" && len(s.failed()) == 0:
		return t.say("logs", args{"lines": sum(s.Run, "lines"), "errors": sum(s.Run, "errors"), "templates": sum(s.Run, "templates")}) + t.accepted(s)
	case s.Verb == "tidy" && len(s.failed()) == 0:
		return t.say("tidy", args{"undo": sum(s.Run, "removed_undo"), "points": sum(s.Run, "removed_points")})
	case s.Verb == "recover" && brought(s.Run) != nil && len(s.failed()) == 0:
		return t.say("recover", brought(s.Run)) + t.accepted(s)
	case s.Verb == "recover":
		return t.tally(s)
	case s.Verb == advising && len(s.failed()) == 0:
		return strings.Join(kept(t.say("tune", args{"n": sum(s.Run, "settings")}), t.tally(s.byLine())), "  ")
	case s.Verb == "convert" && rows(s.Run, converted()) != nil && len(s.failed()) == 0:
		return t.say("converted", rows(s.Run, converted())) + t.accepted(s)
	case rows(s.Run, united()) != nil && len(s.failed()) == 0:
		return t.say("rows", rows(s.Run, united())) + t.accepted(s)
	case slices.Contains(care(), s.Verb) && len(s.failed()) == 0:
		return t.say("maintain", args{"n": cared(s.Run)}) + t.accepted(s)
	case s.Verb == "verify" && clean(s):
		return t.say("verify", args{"bytes": sum(s.Run, "bytes"), "share": sample(s)}) + t.accepted(s)
	case s.Run.Proof != nil:
		return t.say("drill", args{"what": t.compared(s.Run.Proof.Compared)}) + t.accepted(s)
	}
	return t.tally(s)
}

func kept(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

func (t Text) copiedLine(s Section) string {
	said := args{"point": s.Run.Point, "bytes": sum(s.Run, "bytes"), "added": sum(s.Run, "added_bytes"),
		"n": len(s.Run.Targets) - len(s.failed()), "all": len(s.Run.Targets)}
	if s.Run.Point == "" {
		return t.say("backup-incomplete", said) + t.accepted(s)
	}
	said["window"] = window(s.Run)
	return t.say("backup", said) + t.accepted(s)
}

// window is the time between the first and the last moment that the copies speak of, in
// seconds.
func window(run journal.Run) float64 {
	var from, until time.Time
	for _, target := range run.Targets {
		began, ended := moment(target.Facts["viewed_from"]), moment(target.Facts["viewed_until"])
		if !began.IsZero() && (from.IsZero() || began.Before(from)) {
			from = began
		}
		if ended.After(until) {
			until = ended
		}
	}
	return until.Sub(from).Seconds()
}

// moment reads a fact, fresh from a verb or back from JSON.
func moment(value any) time.Time {
	switch at := value.(type) {
	case time.Time:
		return at
	case string:
		parsed, _ := time.Parse(time.RFC3339Nano, at) // the zero time for what is none
		return parsed
	}
	return time.Time{}
}

// agreement is the lowest score of all rules: the share of things on which two
// stores agree.
func agreement(run journal.Run) float64 {
	lowest := 1.0
	for _, target := range run.Targets {
		for name, fact := range target.Facts {
			rule, ok := fact.(map[string]any)
			if !ok || !strings.HasPrefix(name, "reconcile_") {
				continue
			}
			if score, ok := number(rule["score"]); ok {
				lowest = min(lowest, score)
			}
		}
	}
	return lowest
}

// cared counts the steps of care that were done.
func cared(run journal.Run) (n int) {
	for _, step := range run.Steps {
		if step.Work != nil && step.Work.Target != "" && step.Error == nil && !step.Skipped {
			n++
		}
	}
	return n
}

// tally counts targets by verdict: "◆ 1 critical  ● 9 ok  1 accepted".
func (t Text) tally(s Section) string {
	var parts []string
	for _, v := range []service.Severity{service.Critical, service.Warning, service.Unknown, service.OK} {
		if n := s.Counts[v]; n > 0 {
			parts = append(parts, t.mark(v)+" "+t.say(string(v), args{"n": n}))
		}
	}
	return strings.Join(parts, "  ") + t.accepted(s)
}

func (t Text) accepted(s Section) string {
	if len(s.Accepted) == 0 {
		return ""
	}
	return "  " + t.say("accepted", args{"n": len(s.Accepted)})
}

func sum(run journal.Run, fact string) float64 {
	total := 0.0
	for _, target := range run.Targets {
		n, _ := number(target.Facts[fact])
		total += n
	}
	return total
}

// brought is what a recovery has put in its place; nil where it put nothing there.
func brought(run journal.Run) args {
	for _, target := range run.Targets {
		if from := target.Facts["recovered_from"]; from != nil {
			return args{"path": target.Facts["recovered"], "from": from, "at": target.Facts["recovered_at"], "rows": target.Facts["recovered_rows"]}
		}
	}
	return nil
}

// united and converted are the ends of the names of facts about rows.
func united() []string {
	return []string{"before", "taken", "doubled", "replaced", "older", "after"}
}

func converted() []string {
	return []string{"in", "before", "new", "changed", "dropped", "kept", "doubled", "after"}
}

// rows adds up what became of the rows of tables that were written anew, by the ends of
// the facts' names; nil where none was.
func rows(run journal.Run, ends []string) args {
	said, any := args{}, false
	for _, what := range ends {
		total := 0.0
		for _, target := range run.Targets {
			for name, fact := range target.Facts {
				if n, is := number(fact); is && strings.HasSuffix(name, "_rows_"+what) {
					total, any = total+n, true
				}
			}
		}
		said[what] = total
	}
	if !any {
		return nil
	}
	return said
}

// number reads a fact, fresh from a kind or back from JSON.
func number(value any) (float64, bool) {
	switch n := value.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	}
	return 0, false
}

// countable are the things that a copy is counted in, the telling ones first.
// "bytes" is not among them: it is shown as a size.
func countable() []string {
	return []string{"tables", "rows", "nodes", "relationships", "objects", "keys", "files", "directories", "databases",
		"links", "large_objects", "sequences", "indexes", "roles"}
}

// compared lists what was found equal: "214 tables, 112,904 keys".
func (t Text) compared(counts map[string]int64) string {
	names := countable()
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if !slices.Contains(names, name) && name != "bytes" && name != "expiring" && name != "functions" {
			names = append(names, name)
		}
	}
	var parts []any
	for _, name := range names {
		if counts[name] > 0 {
			parts = append(parts, t.counted(name, counts[name]))
		}
	}
	return t.say("list", args{"of": parts})
}

func (t Text) counted(name string, n int64) string {
	noun := t.say("count-"+name, args{"n": n})
	if strings.HasPrefix(noun, "!") { // a kind's own word: shown as the kind calls it
		return t.Words.Count(n) + " " + strings.ReplaceAll(name, "_", " ")
	}
	return noun
}
