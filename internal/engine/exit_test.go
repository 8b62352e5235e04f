package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func with(severities ...service.Severity) journal.Target {
	t := journal.Target{Target: "a"}
	for _, s := range severities {
		t.Findings = append(t.Findings, journal.Finding{ID: "k.x", Severity: s})
	}
	return t
}

func failing(err error) journal.Target {
	return journal.Target{Target: "b", Error: engine.Problem(fmt.Errorf("look at b: %w", err))}
}

func TestExitCodes(t *testing.T) {
	waived := with(service.Critical)
	waived.Findings[0].Waived = "known"
	own := with(service.Critical)
	own.Target = "upkeep"
	ownFailed := failing(service.ErrNoSpace)
	ownFailed.Target = "upkeep"
	for name, tc := range map[string]struct {
		targets []journal.Target
		err     error // of the whole run
		failOn  service.Severity
		want    int
	}{
		"nothing at all":                          {want: 0},
		"all is well":                             {targets: []journal.Target{with()}, want: 0},
		"a warning":                               {targets: []journal.Target{with(service.Warning)}, want: 0},
		"a warning that is to fail":               {targets: []journal.Target{with(service.Warning)}, failOn: service.Warning, want: 1},
		"critical":                                {targets: []journal.Target{with(service.Critical)}, want: 1},
		"critical, and warnings are to fail":      {targets: []journal.Target{with(service.Critical)}, failOn: service.Warning, want: 1},
		"critical, but waived":                    {targets: []journal.Target{waived}, want: 0},
		"something could not be told":             {targets: []journal.Target{with(service.Unknown)}, want: 3},
		"critical and something not told":         {targets: []journal.Target{with(service.Critical, service.Unknown)}, want: 3},
		"unreachable":                             {targets: []journal.Target{failing(service.ErrUnreachable)}, want: 3},
		"login refused":                           {targets: []journal.Target{failing(service.ErrDenied)}, want: 3},
		"timed out":                               {targets: []journal.Target{failing(context.DeadlineExceeded)}, want: 3},
		"no scratch server":                       {targets: []journal.Target{failing(service.ErrNoScratch)}, want: 3},
		"unreachable, others done":                {targets: []journal.Target{with(), failing(service.ErrUnreachable)}, want: 5},
		"unreachable, others with findings":       {targets: []journal.Target{with(service.Critical), failing(service.ErrUnreachable)}, want: 5},
		"unreachable, and upkeep's own findings":  {targets: []journal.Target{failing(service.ErrUnreachable), own}, want: 3},
		"all done, upkeep could not judge itself": {targets: []journal.Target{with(), ownFailed}, want: 4},
		"failed":                                {targets: []journal.Target{failing(service.ErrNoSpace)}, want: 4},
		"damaged":                               {targets: []journal.Target{failing(service.ErrDamaged)}, want: 4},
		"stale":                                 {targets: []journal.Target{failing(service.ErrStale)}, want: 6},
		"busy":                                  {targets: []journal.Target{failing(service.ErrBusy)}, want: 6},
		"refused and unreachable":               {targets: []journal.Target{failing(service.ErrRefused), failing(service.ErrUnreachable)}, want: 6},
		"failed and refused":                    {targets: []journal.Target{failing(service.ErrNoSpace), failing(service.ErrRefused)}, want: 4},
		"interrupted":                           {targets: []journal.Target{with(service.Critical), failing(service.ErrNoSpace)}, err: context.Canceled, want: 130},
		"the run failed, its targets were done": {targets: []journal.Target{with(service.Critical)}, err: service.ErrNoSpace, want: 4},
		"a name that is not declared":           {err: service.ErrUndeclared, want: 2},
		"what nobody has a name for":            {err: errors.New("huh"), want: 4},
		"interrupted while a server did not answer": {err: fmt.Errorf("%w: %w", service.ErrUnreachable, context.Canceled), want: 130},
	} {
		t.Run(name, func(t *testing.T) {
			run := journal.Run{Targets: tc.targets}
			if tc.err != nil {
				run.Error = engine.Problem(tc.err)
			}
			if got := engine.Exit(run, tc.failOn); got != tc.want {
				t.Errorf("exit code %d, want %d", got, tc.want)
			}
		})
	}
}

func TestTheGravestCodeWins(t *testing.T) {
	falling := []int{130, 5, 4, 6, 2, 3, 1, 0}
	for i, winner := range falling {
		codes := map[int]bool{}
		for _, other := range falling[i:] {
			codes[other] = true
		}
		if got := engine.Worst(codes); got != winner {
			t.Errorf("of %v the winner is %d, want %d", falling[i:], got, winner)
		}
	}
}

func TestAProblemKeepsTheWordsOfItsFault(t *testing.T) {
	fault := &service.Fault{ID: "postgres.pg-dump-too-old", Args: service.Args{"have": 14}, Err: service.ErrNoTool}
	p := engine.Problem(fmt.Errorf("back up db: %w", fault))
	if p.ID != fault.ID || p.Args["have"] != 14 || p.Code != engine.ExitFailed || p.Detail == "" {
		t.Errorf("%+v", p)
	}
}
