package control

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// selfKind is the label job of what upkeep samples of itself.
const selfKind = "upkeep"

//go:embed metrics.tsv
var selfMetrics []byte

// SelfMetrics are the families of samples about upkeep itself.
func SelfMetrics() []service.Metric { return service.ParseMetrics(selfMetrics) }

//go:embed rules.yaml
var selfRules []byte

// SelfRules are the alert rules about upkeep itself, as a file of Prometheus.
func SelfRules() []byte { return selfRules }

// own is what upkeep samples of itself. Nearly all of it follows from the journal, so it is
// made anew only when that has grown. The zero value is ready.
type own struct {
	seq  int64 // of the journal's last record that was read; 0 = nothing was
	jobs map[string]outcome
	made gauges // of the journal and the repository

	counted string // the newest run that may have changed which points there are
	points  map[string]int
}

// sample returns families that are complete with their labels. They are not to be changed.
func (o *own) sample(ctx context.Context, a *App) ([]*dto.MetricFamily, error) {
	now := newGauges(a.Config.System)
	now.set("upkeep_build_info", 1, "version", a.opt.Version, "goversion", runtime.Version())
	if free, err := freeBytes(a.RepositoryPath()); err == nil {
		now.set("upkeep_repository_free_bytes", float64(free))
	}
	for name, gap := range a.backupGaps() {
		now.set("upkeep_backup_interval_seconds", gap.Seconds(), targetLabel, name)
	}
	err := o.read(ctx, a, now)
	return append(now.families(), o.made.families()...), err
}

const targetLabel = "target"

// read looks at the journal, where there is one: sampling makes none.
func (o *own) read(ctx context.Context, a *App, now gauges) error {
	size, err := os.Stat(filepath.Join(a.stateDir, "journal.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	j, err := a.Journal(ctx)
	if err != nil {
		return err
	}
	head, err := j.Head(ctx)
	if err != nil {
		return err
	}
	now.set("upkeep_journal_bytes", float64(size.Size()))
	now.set("upkeep_journal_records", float64(head.Seq))
	if head.Seq == o.seq {
		return nil
	}
	made := newGauges(a.Config.System)
	for _, part := range []func(context.Context, *App, *journal.Journal, gauges) error{
		o.backups, o.proofs, o.outcomes, o.findings, o.plans, o.states,
	} {
		if err := part(ctx, a, j, made); err != nil {
			return err
		}
	}
	o.made, o.seq = made, head.Seq
	return nil
}

// fewRuns is how many of the newest runs of a verb are looked through: more targets' latest
// results than that many runs hold are not told.
const fewRuns = 50

// newest calls tell for the newest runs of a verb until it says that it has seen enough.
func newest(ctx context.Context, a *App, j *journal.Journal, verb string, tell func(journal.Run)) error {
	runs, _, err := j.Runs(ctx, journal.Query{System: a.Config.System, Verb: verb, Limit: fewRuns})
	for _, run := range runs {
		tell(run)
	}
	return err
}

// backups are the last good copies. A copy is as old as the beginning of its run.
func (o *own) backups(ctx context.Context, a *App, j *journal.Journal, made gauges) error {
	return newest(ctx, a, j, "backup", func(run journal.Run) {
		if run.Point == "" {
			return
		}
		made.first("upkeep_repository_bytes", float64(run.Stored))
		for _, t := range run.Targets {
			if t.Error == nil && t.Kind != "" {
				made.first("upkeep_backup_last_success_timestamp_seconds", seconds(run.Started), targetLabel, t.Target)
			}
		}
	})
}

// proofs are what the last good drills measured, by target and as a whole.
func (o *own) proofs(ctx context.Context, a *App, j *journal.Journal, made gauges) error {
	return newest(ctx, a, j, "drill", func(run journal.Run) {
		if run.Proof != nil {
			made.first("upkeep_system_rpo_seconds", run.Proof.RPO.Seconds())
			made.first("upkeep_system_rto_seconds", run.Proof.RTO.Seconds())
		}
		for _, t := range run.Targets {
			if t.Error != nil || t.Verdict != service.OK || t.Facts["rto_s"] == nil {
				continue
			}
			made.first("upkeep_proof_last_success_timestamp_seconds", seconds(run.Finished), targetLabel, t.Target)
			for _, fact := range []string{"rpo", "rto"} {
				if n, known := t.Facts[fact+"_s"].(float64); known {
					made.first("upkeep_"+fact+"_seconds", n, targetLabel, t.Target)
				}
			}
		}
	})
}

// outcome is how a declared job ended.
type outcome struct {
	last, good journal.Run
	due        time.Time // of the last one; zero = a person started it
}

// outcomes are of jobs. What is known stays known when many runs of others have followed.
func (o *own) outcomes(ctx context.Context, a *App, j *journal.Journal, made gauges) error {
	if o.jobs == nil {
		o.jobs = map[string]outcome{}
	}
	runs, _, err := j.Runs(ctx, journal.Query{System: a.Config.System, Verb: "run", Limit: 20 * fewRuns})
	for _, run := range runs {
		var asked Request
		if json.Unmarshal(run.Args, &asked) != nil || run.Finished.IsZero() {
			continue
		}
		known := o.jobs[asked.Job]
		if run.Started.After(known.last.Started) {
			known.last, known.due = run, asked.Turn
		}
		if run.Exit <= 1 && run.Started.After(known.good.Started) {
			known.good = run
		}
		o.jobs[asked.Job] = known
	}
	for name, known := range o.jobs {
		if _, declared := a.Config.Jobs[name]; !declared {
			continue
		}
		made.set("upkeep_job_last_exit_code", float64(known.last.Exit), "name", name)
		made.set("upkeep_job_last_duration_seconds", known.last.Finished.Sub(known.last.Started).Seconds(), "name", name)
		made.set("upkeep_job_last_end_timestamp_seconds", seconds(known.last.Finished), "name", name)
		if !known.due.IsZero() {
			made.set("upkeep_job_lateness_seconds", known.last.Started.Sub(known.due).Seconds(), "name", name)
		}
		if !known.good.Finished.IsZero() {
			made.set("upkeep_job_last_success_timestamp_seconds", seconds(known.good.Finished), "name", name)
		}
	}
	return err
}

// findings are those of each target's latest check, accepted ones left out.
func (o *own) findings(ctx context.Context, a *App, j *journal.Journal, made gauges) error {
	told := map[string]bool{}
	return newest(ctx, a, j, "check", func(run journal.Run) {
		for _, t := range run.Targets {
			if told[t.Target] {
				continue
			}
			told[t.Target] = true
			count := map[service.Severity]int{service.Critical: 0, service.Warning: 0, service.Unknown: 0}
			if t.Error != nil {
				count[service.Unknown]++
			}
			for _, f := range t.Findings {
				if f.Waived == "" {
					count[f.Severity]++
				}
			}
			for severity, n := range count {
				made.set("upkeep_findings", float64(n), "severity", string(severity), targetLabel, t.Target)
			}
		}
	})
}

func (o *own) plans(ctx context.Context, a *App, j *journal.Journal, made gauges) error {
	all, err := j.Plans(ctx, a.Config.System)
	open := map[string]int{"waiting": 0, "approved": 0}
	for _, p := range all {
		switch {
		case p.Applied != "":
		case p.Approved.IsZero():
			open["waiting"]++
		default:
			open["approved"]++
		}
	}
	for state, n := range open {
		made.set("upkeep_plans_open", float64(n), "state", state)
	}
	return err
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
