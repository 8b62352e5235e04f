package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"upkeep/internal/command"
	"upkeep/internal/journal"
	"upkeep/internal/notify"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// outbox is where what leaves the machine waits until it is taken.
func (a *App) outbox() *notify.Outbox {
	return &notify.Outbox{Dir: filepath.Join(a.stateDir, "outbox", a.Config.System)}
}

// web calls addresses.
func (a *App) web() notify.Web { return notify.Web{Version: a.opt.Version} }

// reveal reads a secret at the moment in which it is needed. What it was never leaves with
// anything that is put into the outbox.
func (a *App) reveal(ctx context.Context, ref secret.Ref) (string, error) {
	tools := &command.Runner{Paths: a.Config.Tools}
	resolver := secret.Resolver{Base: a.Config.Base, Getenv: a.opt.Getenv, Run: tools.Output, Seen: a.redactor.Add}
	return resolver.Resolve(ctx, ref)
}

// ways are the declared ones, each with its sender.
func (a *App) ways() map[notify.Channel]notify.Sender {
	ways := map[notify.Channel]notify.Sender{}
	declared := a.Config.Notify
	if declared.Email != nil {
		ways[notify.Email] = a.post
	}
	if !declared.Webhook.IsZero() {
		ways[notify.Webhook] = a.revealed(declared.Webhook, func(address string) notify.Sender { return a.web().Post(address) })
	}
	if !declared.Sentry.IsZero() {
		ways[notify.Sentry] = a.revealed(declared.Sentry, func(dsn string) notify.Sender {
			return notify.Tracker{DSN: dsn, Version: a.opt.Version}.Send
		})
	}
	return ways
}

func (a *App) revealed(ref secret.Ref, sender func(value string) notify.Sender) notify.Sender {
	return func(ctx context.Context, body json.RawMessage) (string, error) {
		value, err := a.reveal(ctx, ref)
		if err != nil {
			return "", err
		}
		return sender(value)(ctx, body)
	}
}

// post sends a letter with the password of this moment.
func (a *App) post(ctx context.Context, body json.RawMessage) (string, error) {
	post := notify.Post{Email: *a.Config.Notify.Email, Version: a.opt.Version}
	if !post.Email.Password.IsZero() {
		password, err := a.reveal(ctx, post.Email.Password)
		if err != nil {
			return "", err
		}
		post.Password = password
	}
	return post.Send(ctx, body)
}

// put lets a message wait, with every secret that this process has read blotted out.
func (a *App) put(c notify.Channel, id string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode a message for %s: %w", c, err)
	}
	return a.outbox().Put(c, id, a.opt.Now(), json.RawMessage(a.redactor.Redact(string(text))))
}

// Deliver tries what waits in the outbox, then what that has made to be told.
func (a *App) Deliver(ctx context.Context) error {
	var errs []error
	for more := true; more && ctx.Err() == nil; {
		more = false
		err := a.outbox().Deliver(ctx, a.opt.Now, a.ways(), func(e notify.Event) {
			told, err := a.tellOf(e)
			more = more || told || e.Ended // what waited is due
			errs = append(errs, err)
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// undelivered is what a webhook gets when another way out began or ceased to fail.
type undelivered struct {
	Event   string `json:"event"` // "not-accepted" or "accepted-again"
	Text    string `json:"text"`
	System  string `json:"system"`
	Channel string `json:"channel"`
	Answer  string `json:"answer,omitempty"`
	Since   string `json:"since,omitempty"`
	Waiting int    `json:"waiting"`
	Lost    int    `json:"lost"`
	Finding string `json:"finding,omitempty"`
	Runbook string `json:"runbook,omitempty"`
}

// tellOf tells of a way that fails by another one: of mail by webhook, of a webhook by mail.
func (a *App) tellOf(e notify.Event) (told bool, err error) {
	if e.Ended {
		a.opt.Log.Info("messages accepted again", "channel", e.Channel)
	} else {
		a.opt.Log.Warn("messages not accepted", "channel", e.Channel, "answer", a.redactor.Redact(e.Answer), "lost", e.Lost)
	}
	f := a.failing(e.Health)
	title, fix := a.opt.Words.Finding(f.ID, f.Args)
	id := fmt.Sprintf("%s-%d-%d", e.Channel, a.opt.Now().UnixNano(), e.Lost)
	switch {
	case e.Channel != notify.Webhook && !a.Config.Notify.Webhook.IsZero():
		u := undelivered{Event: "accepted-again", System: a.Config.System, Channel: string(e.Channel),
			Text: a.opt.Words.Message("control.accepted-again", map[string]any{"system": a.Config.System, "channel": string(e.Channel)})}
		if e.Failing() {
			u = undelivered{"not-accepted", a.Config.System + ": " + title, a.Config.System, string(e.Channel), e.Answer,
				e.Since.Format(time.RFC3339), e.Waiting, e.Lost, f.ID, runbook(f.ID)}
		}
		return true, a.put(notify.Webhook, id, u)
	case e.Channel != notify.Email && a.Config.Notify.Email != nil && e.Failing():
		return true, a.putLetter(id, notify.Mail{Subject: a.Config.System + ": " + title, Text: title + "\n" + fix + "\n\n" + runbook(f.ID) + "\n"})
	}
	return false, nil
}

// putLetter lets a letter wait for each receiver.
func (a *App) putLetter(id string, m notify.Mail) error {
	var errs []error
	for i, to := range a.Config.Notify.Email.To {
		m.ID, m.To, m.Made = "upkeep."+id+"."+strconv.Itoa(i), to, a.opt.Now()
		errs = append(errs, a.put(notify.Email, id+"."+strconv.Itoa(i), m))
	}
	return errors.Join(errs...)
}

// failing is a way that does not go, as a finding.
func (a *App) failing(h notify.Health) service.Finding {
	f := service.Finding{Severity: service.Warning, Args: service.Args{"since": h.Since.In(a.opt.Now().Location()).Format(time.RFC3339),
		"answer": a.redactor.Redact(h.Answer), "waiting": h.Waiting, "lost": h.Lost}}
	job, ping := h.Channel.Job()
	switch {
	case ping:
		f.ID, f.Subject, f.Args["job"] = "upkeep.ping-unanswered", job, job
	case h.Channel == notify.Webhook:
		f.ID = "upkeep.webhook-not-accepted"
	case h.Channel == notify.Sentry:
		f.ID = "upkeep.event-not-accepted"
	default:
		f.ID = "upkeep.mail-not-accepted"
	}
	return f
}

// checkNotify finds the declared ways out that do not go.
func (a *App) checkNotify(v *service.Verdict) error {
	all, err := a.outbox().Health()
	for _, h := range all {
		if h.Failing() && a.declares(h.Channel) {
			v.Findings = append(v.Findings, a.failing(h))
		}
	}
	return err
}

func (a *App) declares(c notify.Channel) bool {
	switch job, ping := c.Job(); {
	case ping && job != "":
		return !a.Config.Jobs[job].Ping.IsZero()
	case ping:
		return !a.Config.Notify.Ping.IsZero()
	}
	_, is := a.ways()[c]
	return is
}

// ended tells of a run by the ways that are declared. What they do with it is no part of how
// the run went: it shows in the next check.
func (a *App) ended(ctx context.Context, run journal.Run) {
	if run.ID == "" || run.Finished.IsZero() || run.Parent != "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	told, err := a.putErrors(ctx, run)
	if run.Verb == "run" {
		told, err = true, errors.Join(err, a.putVerdict(ctx, run))
	}
	if told && !a.served() {
		err = errors.Join(err, a.Deliver(ctx))
	}
	if err != nil {
		a.opt.Log.Error("run not told by every way", "run", run.ID, "error", a.redactor.Redact(err.Error()))
	}
}

// served reports whether serve lives, which delivers what waits: nobody has to wait for it.
func (a *App) served() bool {
	_, alive, err := a.lastBeat()
	return err == nil && alive
}

// lastBeat is the last sign of life of serve, nil where it was stopped or never started, and
// whether it lives still.
func (a *App) lastBeat() (last *notify.Beat, alive bool, err error) {
	last, err = a.Heart().Last()
	if err != nil || last == nil {
		return nil, false, err
	}
	now, err := notify.ReadUptime()
	return last, err == nil && last.Alive(now), err
}

// Heart is the sign of life of serve.
func (a *App) Heart() notify.Heart {
	return notify.Heart{Path: filepath.Join(a.stateDir, "serve.alive")}
}
