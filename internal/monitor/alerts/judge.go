package alerts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"upkeep/internal/service"
)

// IDs of what is found here; the words are upkeep's own.
const (
	FailingID = "upkeep.receiver-fails"
	CanaryID  = "upkeep.canary-lost"
)

// Verdict judges whether alerts reach anybody.
func (a *Alertmanager) Verdict() service.Verdict {
	var v service.Verdict
	for _, d := range a.Failing() {
		v.Crit(FailingID, d.Receiver+"/"+d.Way, service.Args{"receiver": d.Receiver, "way": d.Way, "since": d.Since.Format(time.RFC3339),
			"for": a.opt.Now().Sub(d.Since).Seconds(), "error": d.Error})
	}
	if p, whole, lost := a.LastCanary(); lost {
		v.Crit(CanaryID, "", service.Args{"age": a.opt.Now().Sub(whole).Seconds(), "every": a.opt.Canary.Seconds(),
			"missing": reached(p), "silences": strings.Join(p.Silenced, " ")})
	}
	return v
}

func reached(p Passage) string { return strings.Join(append(p.Missing, p.Held...), " ") }

// LastCanary is how the last canary fared, when one last came through (before the first:
// when this process began), and whether that is too long ago.
func (a *Alertmanager) LastCanary() (last Passage, whole time.Time, lost bool) {
	c := a.canaries
	c.mu.Lock()
	defer c.mu.Unlock()
	overdue := a.opt.Now().Sub(c.whole) > a.opt.Canary+retried
	return c.last, c.whole, overdue || !c.last.Sent.IsZero() && !c.last.Whole()
}

// judged is the time between two looks at how receivers fare.
const judged = 15 * time.Second

// tellOfFailures tells of receivers that fail, through one that does not.
func (a *Alertmanager) tellOfFailures(ctx context.Context) {
	tick := time.NewTicker(min(judged, a.opt.FailsAfter))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := a.Hold(ctx, "deliveries", a.failures()); err != nil {
				a.opt.Log.Error("receivers fail and nobody can be told", "err", err)
			}
		}
	}
}

// failures are the alerts about receivers that fail, each bound for another.
func (a *Alertmanager) failures() (all []Alert) {
	for _, d := range a.Failing() {
		through := a.healthy(d)
		if through == "" {
			a.opt.Log.Error("alerts are not accepted, and there is no other receiver to tell", "receiver", d.Receiver, "way", d.Way, "err", d.Error)
		}
		all = append(all, Alert{StartsAt: d.Since,
			Labels: map[string]string{model.AlertNameLabel: FailingID, "severity": "critical", "system": a.opt.System, "target": "upkeep",
				"subject": d.Receiver + "/" + d.Way, throughLabel: through},
			Annotations: a.said(d)})
	}
	return all
}

func (a *Alertmanager) said(d Delivery) map[string]string {
	since := d.Since.Local().Format("2006-01-02 15:04")
	if a.way.Load().source.Language == "zh" {
		return map[string]string{"summary": "告警送不出去：" + d.Receiver + " 的 " + d.Way + " 自 " + since + " 起不再接受消息",
			"description": d.Error, "runbook": runbook(FailingID)}
	}
	return map[string]string{"summary": "alerts do not get out: " + d.Way + " of " + d.Receiver + " has accepted nothing since " + since,
		"description": d.Error, "runbook": runbook(FailingID)}
}

func runbook(id string) string { return "docs/runbooks/" + id + ".md" }

// healthy is a receiver with a way that works, the failing one's own first: it has the
// same readers. Then those of notify, which no route of the file uses.
func (a *Alertmanager) healthy(failing Delivery) string {
	var working []string
	for _, d := range a.Deliveries() {
		if d.Since.IsZero() && d.Receiver != nobodyName {
			working = append(working, d.Receiver)
		}
	}
	for _, name := range []string{failing.Receiver, webhookName, mailName} {
		if slices.Contains(working, name) {
			return name
		}
	}
	if len(working) == 0 {
		return ""
	}
	return working[0]
}
