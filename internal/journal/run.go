package journal

import (
	"encoding/json"
	"maps"
	"time"

	"upkeep/internal/service"
)

// Run is one execution of one verb on one system. It holds IDs and arguments,
// never words: surfaces add those in the reader's language.
type Run struct {
	ID       string           `json:"run"` // 20261122T020000-7f3a
	System   string           `json:"system"`
	Verb     string           `json:"verb"`
	Parent   string           `json:"parent,omitempty"` // the job's run, for a verb of a job
	Args     json.RawMessage  `json:"args,omitempty"`   // the request, enough to resume it
	Verdict  service.Severity `json:"verdict"`
	Exit     int              `json:"exit_code"`
	Started  time.Time        `json:"started"`
	Finished time.Time        `json:"finished,omitzero"` // zero while it runs or when it was killed
	Targets  []Target         `json:"targets"`
	Steps    []Step           `json:"steps,omitempty"`  // of a job: its verbs in order; of a plan: what was done
	Point    string           `json:"point,omitempty"`  // ID of the restore point it made or read
	Stored   int64            `json:"stored,omitempty"` // bytes of the repository after a backup
	Plan     string           `json:"plan,omitempty"`   // digest of the plan it applied
	Proof    *Proof           `json:"proof,omitempty"`
	Error    *Problem         `json:"error,omitempty"`  // of the whole run: lock held, repository unreadable
	Output   string           `json:"output,omitempty"` // path of what it wrote: a report, an export
}

// Target is what a run says of one target.
type Target struct {
	Target   string           `json:"target"`
	Kind     string           `json:"kind"`
	Verdict  service.Severity `json:"verdict"`
	Took     time.Duration    `json:"took"`
	Error    *Problem         `json:"error,omitempty"`
	Findings []Finding        `json:"findings,omitempty"`
	Facts    service.Facts    `json:"facts,omitempty"`
}

// Finding is a judgement with its age. ID is complete: "postgres.table-bloat".
type Finding struct {
	ID       string           `json:"id"`
	Severity service.Severity `json:"severity"`
	Subject  string           `json:"subject,omitempty"`
	Args     service.Args     `json:"args,omitempty"`
	Since    time.Time        `json:"since"`            // start of the first run of an unbroken row of runs that found it
	Waived   string           `json:"waived,omitempty"` // why, when accept: names it; it then counts as ok
}

// Problem is why something could not be told or done. ID names words in a
// catalogue; Detail is the error's own English.
type Problem struct {
	ID     string       `json:"id"`
	Args   service.Args `json:"args,omitempty"`
	Detail string       `json:"detail"`
	Code   int          `json:"code"` // the exit code it stands for: 3, 4, 6 or 130
}

// Step is one finished or skipped part of a run.
type Step struct {
	ID      string          `json:"id"`
	Verb    string          `json:"verb"`
	Run     string          `json:"run,omitempty"` // of a verb of a job
	Exit    int             `json:"exit_code"`
	Skipped bool            `json:"skipped,omitempty"`
	Took    time.Duration   `json:"took"`
	Title   service.Message `json:"title,omitzero"`
	Error   *Problem        `json:"error,omitempty"`
	// What undo needs, of runs that can be taken back step by step.
	Work   *service.Step   `json:"work,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// Proof is what a drill measured.
type Proof struct {
	RPO      time.Duration    `json:"rpo"`      // age of the restored view when the drill began
	RTO      time.Duration    `json:"rto"`      // from the first byte read to the last comparison, scratch servers' start included
	Compared map[string]int64 `json:"compared"` // tables, rows, keys, files that were found equal
}

// Plan is work not yet done, as it was shown to whoever approves it.
type Plan struct {
	Digest   string          `json:"digest"` // over everything below but Approved: see Digest
	System   string          `json:"system"`
	Verb     string          `json:"verb"`
	Args     json.RawMessage `json:"args"`
	Config   string          `json:"config"` // digest of the declaration it was made under
	Steps    []service.Step  `json:"steps"`
	Made     time.Time       `json:"made"`
	MadeBy   string          `json:"made_by"`
	Approved time.Time       `json:"approved,omitzero"`
	By       string          `json:"approved_by,omitempty"`
	Applied  string          `json:"applied,omitempty"` // the run that applied it
}

// Short is as much of the digest as names the plan to a person.
func (p Plan) Short() string { return p.Digest[:min(len(p.Digest), len("sha256:")+12)] }

// Words returns the arguments that a finding's words are made of: its own, the
// target and the subject.
func (f Finding) Words(target string) map[string]any {
	args := map[string]any{"target": target, "subject": f.Subject}
	maps.Copy(args, f.Args)
	return args
}

// Words returns the arguments that a problem's words are made of: its own, the
// detail, the target and the run.
func (p Problem) Words(target, run string) map[string]any {
	args := map[string]any{"detail": p.Detail, "target": target, "run": run}
	maps.Copy(args, p.Args)
	return args
}
