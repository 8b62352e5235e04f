package control

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Request is what somebody asks for. It is kept with the run, so that a run can
// be resumed, and with the plan, so that a plan can be made anew and compared.
type Request struct {
	Verb    string   `json:"verb"`
	Targets []string `json:"targets,omitempty"` // none = all
	Point   string   `json:"point,omitempty"`
	Only    string   `json:"only,omitempty"`
	From    string   `json:"from,omitempty"`    // of recover: a copy beside or a point; "" = the newest that is right
	To      string   `json:"to,omitempty"`      // of convert: the table that is written anew
	Discard []string `json:"discard,omitempty"` // targets whose present content is given up unsaved
	Sample  float64  `json:"sample,omitempty"`  // share of the parts that verify reads; 0 = every one
	Job     string   `json:"job,omitempty"`
	Do      []string `json:"do,omitempty"`     // of a job: its verbs when it began; one that was changed since is not resumed
	Plan    string   `json:"plan,omitempty"`   // digest of the plan that is applied
	Runs    []string `json:"runs,omitempty"`   // of a job: the IDs of its verbs' runs, in order
	Parent  string   `json:"parent,omitempty"` // the job's run
	// Turn is when a job was due that is run by the calendar, and Try which one of its
	// tries this is.
	Turn    time.Time `json:"turn,omitzero"`
	Try     int       `json:"try,omitempty"`
	Undoes  string    `json:"undoes,omitempty"`  // the run whose work is taken back
	Span    string    `json:"span,omitempty"`    // of a report: "day", "week" or "month"
	Formats []string  `json:"formats,omitempty"` // of a report; none = html
	// Unattended care: only what may be done without a person, and what Approved names
	// as KIND.op; the rest is left as a plan.
	Unattended bool     `json:"unattended,omitempty"`
	Approved   []string `json:"approved,omitempty"`

	planned bool // a plan has the steps already: nobody is asked for them again
}

func (r Request) encode() json.RawMessage {
	text, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("encode request: %v", err)) // plain values always encode
	}
	return text
}

func decodeRequest(text json.RawMessage) (Request, error) {
	var r Request
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read the request of the run: %w", err)
	}
	return r, nil
}

// newIDs makes n IDs, each unlike the others: a run that had another's would pass
// for done.
func newIDs(now time.Time, n int) []string {
	var ids []string
	for len(ids) < n {
		if id := newID(now); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// newID makes the ID of a run: its start in the system's own time and eight random
// hexadecimal digits. Four met when a thousand jobs began in one second, and a run that
// had another's ID passed for done.
func newID(now time.Time) string {
	var salt [4]byte
	rand.Read(salt[:]) // never fails: see crypto/rand
	return now.Format("20060102T150405") + "-" + hex.EncodeToString(salt[:])
}
