package engine

import (
	"context"
	"errors"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Exit codes, the same for text and JSON.
const (
	ExitDone        = 0
	ExitFound       = 1 // something at or over --fail-on was found
	ExitUsage       = 2 // configuration or usage is wrong; nothing was tried
	ExitUnknown     = 3 // could not tell
	ExitFailed      = 4 // nothing was changed, or the change was undone
	ExitPartly      = 5
	ExitRefused     = 6
	ExitInterrupted = 130
)

// code is the one table from errors to exit codes.
func code(err error) int {
	var altered *journal.Altered
	switch {
	case errors.As(err, &altered):
		return ExitFound
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, service.ErrUndeclared):
		return ExitUsage
	case isAny(err, service.ErrStale, service.ErrRefused, service.ErrBusy):
		return ExitRefused
	case isAny(err, service.ErrUnreachable, service.ErrDenied, service.ErrNoScratch, context.DeadlineExceeded):
		return ExitUnknown
	}
	return ExitFailed
}

func isAny(err error, sentinels ...error) bool {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// Exit returns the code of a whole run: the first of 130, 5, 4, 6, 3, 1 that
// applies.
func Exit(run journal.Run, failOn service.Severity) int {
	codes := map[int]bool{}
	done, failed := 0, 0
	for _, t := range run.Targets {
		codes[foundCode(t, failOn)] = true
		if t.Error != nil {
			codes[t.Error.Code] = true
		}
		switch {
		case t.Target == own: // what was found about upkeep itself makes no target done, nor failed
		case t.Error != nil:
			failed++
		default:
			done++
		}
	}
	if run.Error != nil {
		codes[run.Error.Code] = true
	}
	if done > 0 && failed > 0 {
		codes[ExitPartly] = true
	}
	return Worst(codes)
}

// Worst returns the code that wins when several apply. Wrong usage is among them
// where a job names what is no longer declared.
func Worst(codes map[int]bool) int {
	for _, c := range []int{ExitInterrupted, ExitPartly, ExitFailed, ExitRefused, ExitUsage, ExitUnknown, ExitFound} {
		if codes[c] {
			return c
		}
	}
	return ExitDone
}

func foundCode(t journal.Target, failOn service.Severity) int {
	code := ExitDone
	for _, f := range t.Findings {
		switch {
		case f.Waived != "":
		case f.Severity == service.Unknown:
			code = max(code, ExitUnknown)
		case f.Severity == service.Critical, f.Severity == service.Warning && failOn == service.Warning:
			code = max(code, ExitFound)
		}
	}
	return code
}

// verdict is the worst that a run says of any target. What could not be told is
// graver than a warning and hides no critical finding.
func verdict(run journal.Run) service.Severity {
	var all []service.Finding
	for _, t := range run.Targets {
		all = append(all, service.Finding{Severity: t.Verdict})
	}
	if run.Error != nil {
		all = append(all, service.Finding{Severity: service.Unknown})
	}
	return service.Worst(all)
}

// ofCode is the verdict on a job: what its verbs found is in their own runs.
func ofCode(code int) service.Severity {
	switch code {
	case ExitDone:
		return service.OK
	case ExitFound:
		return service.Critical
	}
	return service.Unknown
}
