package control

import (
	"context"
	"slices"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Standing is what is known of one declared target now: what the last check that
// looked at it said.
type Standing struct {
	journal.Target           // its verdict is unknown where no check has looked yet
	Run            string    // of that check; empty = none yet
	At             time.Time // its start
	Looked         time.Time // when it was last looked at: checks that found the same may leave no record
	Since          time.Time // start of the unbroken row of recorded checks with this verdict
	Copied         bool      // its kind can be backed up
	AtLeast        bool      // the row is longer than was looked through
}

// rowAtMost bounds how far back the row of a verdict is followed.
const rowAtMost = 60

// selfTarget is under which a check records what it found of upkeep itself, if
// anything.
const selfTarget = "upkeep"

// Standings returns every declared target, in the order of the declaration, and
// then upkeep itself where the last check found something of it.
func (a *App) Standings(ctx context.Context) ([]Standing, error) {
	runs, more, err := a.Runs(ctx, journal.Query{Verb: "check", Limit: rowAtMost})
	if err != nil {
		return nil, err
	}
	all := a.declared()
	newest, err := a.journal.Newest(ctx, a.Config.System, "check", names(all))
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].lastSaid(newest[all[i].Target.Target])
	}
	if own := (Standing{Target: journal.Target{Target: selfTarget}}); len(runs) > 0 && own.lastSaid(runs[0]) {
		all = append(all, own)
	}
	for i := range all {
		all[i].follow(runs, more != "")
	}
	return all, nil
}

// declared is what is known before any check.
func (a *App) declared() (all []Standing) {
	for _, s := range a.Config.Services {
		all = append(all, Standing{Copied: s.Kind.Offers("backup"), Target: journal.Target{Target: s.Name, Kind: s.Kind.Name(), Verdict: service.Unknown}})
	}
	return all
}

func names(all []Standing) (targets []string) {
	for _, s := range all {
		targets = append(targets, s.Target.Target)
	}
	return targets
}

// lastSaid takes over what a check said of the target, and reports whether it did.
func (s *Standing) lastSaid(run journal.Run) bool {
	i := slices.IndexFunc(run.Targets, func(t journal.Target) bool { return t.Target == s.Target.Target })
	if i < 0 {
		return false
	}
	s.Target, s.Run, s.At, s.Looked, s.Since = run.Targets[i], run.ID, run.Started, run.Started, run.Started
	return true
}

// follow finds since when the verdict is what it is, in checks from the newest on.
// more says that there are older ones.
func (s *Standing) follow(runs []journal.Run, more bool) {
	for _, run := range runs {
		if !s.goesOn(run) {
			return
		}
	}
	s.AtLeast = more
}

// goesOn takes a check into the row and reports whether that continues.
func (s *Standing) goesOn(run journal.Run) bool {
	for _, t := range run.Targets {
		if t.Target != s.Target.Target {
			continue
		}
		if t.Verdict != s.Verdict {
			return false
		}
		s.Since = run.Started
	}
	return true
}
