package report

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
)

// Sentence is the last line: what the reader can rely on. It speaks only of
// copies that this page's runs made or judged, and claims no more than they
// showed.
func (t Text) Sentence(p Page) string {
	var said []string
	if p.Open {
		said = append(said, t.say("open", map[string]any{"run": p.Run}))
	}
	id, about := p.standing()
	if id != "" {
		about["at"] = t.moment(p, about["taken"])
		said = append(said, t.say(id, about))
	}
	if len(p.Drills) > 0 && !p.Since.IsZero() && !strings.HasPrefix(id, "proven") {
		said = append(said, t.say("last-proven", args{"at": t.Words.Time(p.Drills[len(p.Drills)-1].At)}))
	}
	return strings.Join(said, " ")
}

// moment is a time as short as it stays clear beside the page's own date.
func (t Text) moment(p Page, at any) string {
	when, ok := at.(time.Time)
	if !ok {
		return ""
	}
	if when = when.In(p.At.Location()); when.Format(time.DateOnly) == p.At.Format(time.DateOnly) {
		return when.Format("15:04")
	}
	return when.Format("2006-01-02 15:04")
}

type args = map[string]any

// standing chooses the one claim that is true of the copies of this page.
func (p Page) standing() (string, args) {
	if restore := p.find("restore"); restore != nil {
		return restored(*restore)
	}
	backup, verify, drill := p.find("backup"), p.find("verify"), p.find("drill")
	switch {
	case drill != nil && drill.Run.Proof != nil:
		return proven(backup, verify, *drill)
	case verify != nil && verify.has(service.Critical):
		return "damaged", args{"point": verify.Run.Point}
	case drill != nil:
		return unproven(*drill)
	case verify != nil && concerns(*verify, backup):
		return readBack(*verify)
	case backup != nil:
		return copied(*backup)
	}
	return "", nil
}

// concerns reports whether a run looked at the point that the backup made, or
// there is no backup to compare it with.
func concerns(s Section, backup *Section) bool {
	return backup == nil || s.Run.Point == backup.Run.Point
}

// proven says what a drill showed, and what it did not: a later copy, bytes that
// it never needed, files that the copy never had.
func proven(backup, verify *Section, drill Section) (string, args) {
	proof := drill.Run.Proof
	said := args{"point": drill.Run.Point, "taken": drill.Run.Finished.Add(-proof.RPO), "rto": upward(proof.RTO).Seconds()}
	switch {
	case verify != nil && verify.has(service.Critical):
		return "proven-damaged", said
	case backup != nil && backup.Run.Point == "":
		return "proven-before-failure", said
	case backup != nil && backup.Run.Point != drill.Run.Point:
		said["newer"] = backup.Run.Point
		return "proven-older", said
	case backup != nil && lacks(*backup):
		return "proven-lacking", said
	}
	return "proven", said
}

// upward rounds a measured time so that "within" stays true.
func upward(d time.Duration) time.Duration {
	unit := time.Second
	if d > time.Minute {
		unit = time.Minute
	}
	return (d + unit - 1).Truncate(unit)
}

// lacks reports whether the copy was found not to hold everything.
func lacks(backup Section) bool {
	for _, l := range backup.Lines {
		if l.Finding != nil && l.Finding.ID != "backup.space-short" {
			return true
		}
	}
	return false
}

// unproven tells a copy that differs from one that could not be judged.
func unproven(drill Section) (string, args) {
	said := args{"point": drill.Run.Point, "targets": drill.failed(), "n": len(drill.Lines)}
	switch {
	case drill.has(service.Critical):
		return "differs", said
	case drill.open():
		return "drill-open", said
	case drill.Problem != nil:
		return "not-drilled", said
	case len(drill.failed()) > 0:
		return "partly-drilled", said
	case len(drill.Lines) > 0:
		return "drill-unsure", said
	case len(drill.Accepted) > 0:
		return "drill-accepted", said
	}
	return "drill-partial", said
}

// readBack says what verify showed of a point in which it found no damage.
func readBack(verify Section) (string, args) {
	said := args{"point": verify.Run.Point, "share": sample(verify)}
	switch {
	case verify.open():
		return "verify-open", said
	case !clean(verify):
		return "unread", said
	case sample(verify) < 1:
		return "sampled", said
	}
	return "verified-only", said
}

// copied says what a backup left behind.
func copied(backup Section) (string, args) {
	said := args{"point": backup.Run.Point, "run": backup.Run.ID, "targets": backup.failed()}
	switch {
	case backup.open():
		return "backup-open", said
	case backup.Run.Point == "" && len(backup.failed()) > 0 && len(backup.failed()) < len(backup.Run.Targets):
		return "partly-copied", said
	case backup.Run.Point == "":
		return "no-copy", said
	case lacks(backup):
		return "copied-lacking", said
	}
	return "copied-only", said
}

// restored says whether what was put back was compared, and whether the way back
// from it is open.
func restored(s Section) (string, args) {
	said := args{"point": s.Run.Point, "saved": ""}
	compared, waited := false, map[string]bool{} // for targets that depend on the restored ones
	for _, step := range s.Run.Steps {
		if strings.HasPrefix(step.ID, "backup ") && step.Error == nil {
			said["saved"] = s.Run.ID
		}
		compared = compared || strings.HasPrefix(step.ID, "compare ")
		if target, is := strings.CutPrefix(step.ID, "healthy "); is {
			waited[target] = true
		}
	}
	ill := unhealthy(s, waited)
	said["ill"] = ill
	switch {
	case s.open() || s.Problem != nil || slices.ContainsFunc(s.Lines, func(l Line) bool { return !waited[l.Target] && l.Severity != service.Warning }):
		return "restore-failed", said
	case len(ill) > 0:
		return "restored-ill", said
	case !compared:
		return "restored-uncompared", said
	case slices.ContainsFunc(s.Lines, func(l Line) bool { return !waited[l.Target] }): // of what was saved before, say, which was damaged
		return "restored-warned", said
	}
	return "restored", said
}

// unhealthy names those of the targets that do not work again.
func unhealthy(s Section, waited map[string]bool) (names []string) {
	for _, t := range s.Run.Targets {
		if waited[t.Target] && (t.Verdict == service.Critical || t.Verdict == service.Unknown) {
			names = append(names, t.Target)
		}
	}
	return names
}

func clean(s Section) bool { return len(s.Lines) == 0 && s.Problem == nil && !s.open() }

// sample is the share of the parts that a verify read. It stands in the run's
// request; none means every part.
func sample(s Section) float64 {
	var request struct {
		Sample float64 `json:"sample"`
	}
	if len(s.Run.Args) == 0 || json.Unmarshal(s.Run.Args, &request) != nil || request.Sample == 0 {
		return 1
	}
	return request.Sample
}
