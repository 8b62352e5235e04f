package report_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/catalogue"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// kinds are the words of the targets in these tests.
const kinds = `
findings:
  queue-unattended:
    en: {title: 'queue "{{.queue}}" has {{count .messages}} messages and no consumer', fix: 'start a worker with -Q {{.queue}}'}
    zh: {title: '队列“{{.queue}}”积压 {{count .messages}} 条消息，没有消费者', fix: '启动一个带 -Q {{.queue}} 的 worker'}
  table-bloat:
    en: {title: 'table "{{.subject}}" is {{percent .bloat}} bloat ({{bytes .bytes}})', fix: 'upkeep maintain {{.target}}'}
    zh: {title: '表“{{.subject}}”有 {{percent .bloat}} 膨胀（{{bytes .bytes}}）', fix: 'upkeep maintain {{.target}}'}
  wait:
    en: {title: 'for {{percent .share}} of the last minute work waited for a processor, which is felt by everything that runs on this machine', fix: "see who computes: ps -eo pid,user,pcpu,args --sort=-pcpu | head -15\nthen start fewer workers"}
    zh: {title: '最近一分钟内有 {{percent .share}} 的时间有任务在等待处理器，这台机器上运行的所有程序都会受到影响，响应会变慢', fix: "查看谁在占用处理器：ps -eo pid,user,pcpu,args --sort=-pcpu | head -15\n然后减少 worker 数量"}
  differs:
    en: {title: 'table {{.subject}} holds {{count .now}} rows, the copy promises {{count .promised}}', fix: 'upkeep verify'}
    zh: {title: '表 {{.subject}} 有 {{count .now}} 行，备份应有 {{count .promised}} 行', fix: 'upkeep verify'}
`

func words(t *testing.T, lang string) catalogue.Words {
	t.Helper()
	c, err := catalogue.New(catalogue.Source{Prefix: "report", Text: report.Words()},
		catalogue.Source{Prefix: "report", Text: report.ResultsWords()},
		catalogue.Source{Prefix: "error", Text: service.ErrorText()}, catalogue.Source{Prefix: "kind", Text: []byte(kinds)})
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.Words(lang)
}

// day is a moment of the fixtures: all of them happen on one night in UTC+8.
func day(clock string) time.Time {
	at, err := time.Parse("2006-01-02 15:04:05 -0700", "2026-11-22 "+clock+" +0800")
	if err != nil {
		panic(err)
	}
	return at
}

func now() time.Time { return day("02:07:00") }

const second = time.Second

func found(id string, severity service.Severity, subject string, since time.Time, args service.Args) journal.Finding {
	return journal.Finding{ID: "kind." + id, Severity: severity, Subject: subject, Args: args, Since: since}
}

func problem(id, detail string, code int) *journal.Problem {
	return &journal.Problem{ID: id, Detail: detail, Code: code}
}

func run(verb string, clock string, took time.Duration, targets ...journal.Target) journal.Run {
	at := day(clock)
	return journal.Run{ID: at.Format("20060102T150405") + "-" + verb[:2], System: "cot-studio", Verb: verb, Started: at,
		Finished: at.Add(took), Targets: targets, Verdict: service.OK}
}

func fine(name, kind string, facts service.Facts) journal.Target {
	return journal.Target{Target: name, Kind: kind, Verdict: service.OK, Facts: facts}
}

func checked() journal.Run {
	check := run("check", "02:00:00", 1400*time.Millisecond,
		journal.Target{Target: "db", Kind: "postgres", Verdict: service.Warning, Facts: service.Facts{"version": "15.18", "size_bytes": 7.9e8},
			Findings: []journal.Finding{found("table-bloat", service.Warning, "slices", day("02:00:00").Add(-40*time.Hour), service.Args{"bloat": 0.43, "bytes": 1.9e9})}},
		journal.Target{Target: "workers", Kind: "celery", Verdict: service.Critical,
			Findings: []journal.Finding{found("queue-unattended", service.Critical, "", day("02:00:00").Add(-166*time.Minute), service.Args{"queue": "files", "messages": 1204})}},
		journal.Target{Target: "mineru", Kind: "endpoint", Verdict: service.Unknown, Error: problem("error.timeout", "get http://127.0.0.1:8001/health: no answer within 5 s", 3)},
		journal.Target{Target: "cache", Kind: "redis", Verdict: service.OK, Facts: service.Facts{"version": "7.0.15", "keys": 112904.0, "used_memory": 1.12e8},
			Findings: []journal.Finding{{ID: "kind.wait", Severity: service.Warning, Args: service.Args{"share": 0.9}, Since: day("02:00:00"), Waived: "the batch of Sunday"}}},
		fine("host", "host", service.Facts{"memory_available_bytes": 2.3e10, "load15": 1.75, "mounts": map[string]any{
			"/": map[string]any{"used": 0.28}, "/srv": map[string]any{"used": 0.66}}}),
		fine("uploads", "files", service.Facts{"files": 18442.0, "size_bytes": 6.1e10}),
		fine("api", "endpoint", service.Facts{"status": 200.0, "took_s": 0.182}),
		fine("config", "files", service.Facts{"files": 5.0, "size_bytes": 18211.0}))
	check.Verdict, check.Exit = service.Critical, 5
	return check
}

func backedUp() journal.Run {
	backup := run("backup", "02:00:01", 48*second,
		fine("db", "postgres", service.Facts{"bytes": 7.5e8, "added_bytes": 4e7, "tables": 214.0}),
		fine("cache", "redis", service.Facts{"bytes": 1.12e8, "added_bytes": 9.6e7, "keys": 112904.0}),
		fine("uploads", "files", service.Facts{"bytes": 6.12e10, "added_bytes": 7.8e7, "files": 18442.0}))
	backup.Point = backup.ID
	return backup
}

func verified() journal.Run {
	verify := run("verify", "02:00:50", 130*second, fine("cache", "redis", service.Facts{"bytes": 1.12e8}),
		fine("db", "postgres", service.Facts{"bytes": 7.5e8}), fine("uploads", "files", service.Facts{"bytes": 6.12e10}))
	verify.Point = backedUp().ID
	return verify
}

func drilled() journal.Run {
	drill := run("drill", "02:03:00", 231*second,
		fine("cache", "redis", service.Facts{"keys": 112904.0, "rpo_s": 190.0, "rto_s": 11.2}),
		fine("db", "postgres", service.Facts{"tables": 214.0, "rows": 1.8e6, "rpo_s": 201.0, "rto_s": 102.0}),
		fine("uploads", "files", service.Facts{"files": 18442.0, "rpo_s": 230.0, "rto_s": 117.8}))
	drill.Point = backedUp().ID
	drill.Proof = &journal.Proof{RPO: 410 * second, RTO: 231 * second,
		Compared: map[string]int64{"bytes": 62062000000, "tables": 214, "rows": 1800000, "keys": 112904, "files": 18442, "sequences": 0}}
	return drill
}

func reported() journal.Run {
	r := run("report", "02:06:52", 20*time.Millisecond)
	r.Output = "reports/2026-11-22-daily.html"
	return r
}

// job is a job's run over the runs of its verbs, in order.
func job(children ...journal.Run) (journal.Run, []journal.Run) {
	daily := run("run", "02:00:00", 412*second)
	for _, c := range children {
		daily.Steps = append(daily.Steps, journal.Step{ID: c.ID, Verb: c.Verb, Run: c.ID, Exit: c.Exit, Took: c.Finished.Sub(c.Started)})
	}
	return daily, children
}

func titled(run journal.Run, children []journal.Run) report.Page {
	page := report.Of(run, children)
	page.Title = "daily"
	return page
}

// daily is the night that the product's description shows.
func daily() report.Page {
	return titled(job(checked(), backedUp(), verified(), drilled(), reported()))
}

// broken is a night on which one store could not be copied: what follows from it
// is skipped, and the report could not be written.
func broken() report.Page {
	check := run("check", "02:00:00", 80*time.Millisecond, fine("cache", "redis", service.Facts{"version": "7.0.15", "keys": 9.0}),
		journal.Target{Target: "production-database-of-the-studio", Kind: "postgres", Verdict: service.Unknown,
			Error: problem("error.unreachable", "connect: dial tcp 127.0.0.1:5432: connect: connection refused", 3)},
		journal.Target{Target: "host", Kind: "host", Verdict: service.Warning,
			Findings: []journal.Finding{found("wait", service.Warning, "", day("02:00:00"), service.Args{"share": 0.9058})}})
	backup := run("backup", "02:00:01", 3*second, fine("cache", "redis", service.Facts{"bytes": 1200.0, "added_bytes": 800.0}),
		journal.Target{Target: "production-database-of-the-studio", Kind: "postgres", Verdict: service.Unknown,
			Error: problem("error.unreachable", "connect: dial tcp 127.0.0.1:5432: connect: connection refused", 3)})
	backup.Exit = 5
	daily, children := job(check, backup)
	daily.Steps = append(daily.Steps, journal.Step{Verb: "verify", Skipped: true}, journal.Step{Verb: "drill", Skipped: true},
		journal.Step{Verb: "report", Run: "gone", Error: problem("error.no-space", "write the report: no space left on device", 4)})
	daily.Exit = 5
	return titled(daily, children)
}

// week is a page over seven days with a drill each.
func week() report.Page {
	runs := []journal.Run{drilled(), verified(), backedUp(), checked()}
	for i := 1; i < 7; i++ {
		ago := time.Duration(i) * 24 * time.Hour
		for _, r := range []journal.Run{drilled(), verified(), backedUp(), checked()} {
			r.Started, r.Finished = r.Started.Add(-ago), r.Finished.Add(-ago)
			r.ID = r.Started.Format("20060102T150405") + r.ID[15:]
			if r.Proof != nil {
				r.Proof = &journal.Proof{RPO: r.Proof.RPO + time.Duration(i*i)*second, RTO: r.Proof.RTO - time.Duration(i*9)*second}
			}
			runs = append(runs, r)
		}
	}
	return report.Over("cot-studio", runs, now().Add(-7*24*time.Hour), now())
}

// hostile is a page whose every name was chosen to break out of the page.
func hostile() report.Page {
	const name = `"><script>alert(1)</script>|` + "\x1b[2J"
	check := run("check", "02:00:00", second, journal.Target{Target: "db", Kind: "postgres", Verdict: service.Critical,
		Facts:    service.Facts{"version": name, "mounts": map[string]any{name: map[string]any{"used": 1.0}}},
		Findings: []journal.Finding{found("table-bloat", service.Critical, name, now(), nil), {ID: "kind.wait", Subject: name, Waived: name, Severity: service.Warning}}},
		journal.Target{Target: "api", Kind: "endpoint", Verdict: service.Unknown, Error: problem("error.unexpected", name, 4)})
	check.Error = problem("error.unexpected", name, 4)
	page := report.Of(check, nil)
	page.Results = []report.Results{{Target: name, Kind: name, Summary: summary(cell{name, name, name, 10, 3}, cell{"", name, "=1", 9, 9}), Past: past()},
		{Target: name, Kind: name, Problem: problem("error.unexpected", name, 4)}}
	return page
}

// recorded is a run as it comes back from the journal: numbers are float64.
func recorded(t *testing.T, run journal.Run) journal.Run {
	t.Helper()
	text, err := json.Marshal(run)
	var back journal.Run
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("record %s: %w", run.ID, err))
	}
	return back
}
