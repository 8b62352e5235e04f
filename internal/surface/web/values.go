package web

import (
	"encoding/json"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// moment is a time as JSON: RFC 3339, or null where there is none.
type moment struct{ time.Time }

func (m moment) MarshalJSON() ([]byte, error) { return json.Marshal(report.Maybe(m.Time)) }

// finding is one finding or error in words.
type finding struct {
	ID          string           `json:"id"`
	Severity    service.Severity `json:"severity"`
	Verb        string           `json:"verb"` // of the run that told it
	Title       string           `json:"title"`
	Consequence string           `json:"consequence,omitempty"`
	Fix         string           `json:"fix"`
	Runbook     string           `json:"runbook,omitempty"`
	Why         string           `json:"waived,omitempty"`
	Since       moment           `json:"since"`
}

func findings(entries []report.Entry) []finding {
	all := []finding{}
	for _, e := range entries {
		f := finding{ID: e.ID, Severity: e.Severity, Verb: e.Verb, Title: e.Title, Consequence: e.Consequence, Fix: e.Fix, Why: e.Why, Since: moment{e.Since}}
		if e.ID != "" {
			f.Runbook = "docs/runbooks/" + e.ID + ".md"
		}
		all = append(all, f)
	}
	return all
}

// ran is one run in a list.
type ran struct {
	Run     string           `json:"run"`
	Verb    string           `json:"verb"`
	Job     string           `json:"job,omitempty"`
	Verdict service.Severity `json:"verdict"`
	Exit    int              `json:"exit_code"`
	Started moment           `json:"started"`
	Ended   moment           `json:"ended"`
	Took    float64          `json:"took_s"`
	Summary string           `json:"summary"`
	State   string           `json:"state"` // ended, running, left: killed, and to be resumed
}

// States of a run.
const (
	ended   = "ended"
	running = "running"
	left    = "left"
)

func (s ran) title() string {
	if s.Job != "" {
		return s.Job
	}
	return s.Verb
}

// lasting is a duration that JSON has in seconds.
func lasting(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func endOf(run journal.Run) moment { return moment{run.Finished} }
