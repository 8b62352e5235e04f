package control

import (
	"context"
	"errors"
	"strings"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/notify"
	"upkeep/internal/secret"
)

// jobPing tells a ping service of one job's run. The service never delays the job: that it
// began is told beside it.
type jobPing struct {
	app   *App
	job   string
	to    secret.Ref
	began chan struct{} // closed when the start was told; nil where it was not
}

func (a *App) jobPing(job string) *jobPing {
	return &jobPing{app: a, job: job, to: a.Config.Jobs[job].Ping}
}

func (p *jobPing) start(ctx context.Context, id string) {
	if p.to.IsZero() {
		return
	}
	p.began = make(chan struct{})
	go func() {
		defer close(p.began)
		p.app.ping(context.WithoutCancel(ctx), notify.PingOf(p.job), p.to, notify.Start, "run "+id+"\n")
	}()
}

// end tells how the run went. One that was interrupted goes on later, and has not ended.
func (p *jobPing) end(ctx context.Context, run journal.Run, err error) {
	if p.to.IsZero() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if p.began != nil {
		<-p.began
	}
	switch {
	case err != nil:
		p.app.ping(ctx, notify.PingOf(p.job), p.to, notify.Fail, err.Error()+"\n")
	case run.Finished.IsZero():
	case run.Exit == 0:
		p.app.ping(ctx, notify.PingOf(p.job), p.to, notify.Success, p.app.summary(ctx, run))
	default:
		p.app.ping(ctx, notify.PingOf(p.job), p.to, notify.Fail, p.app.summary(ctx, run))
	}
}

// summary is the job's page as text.
func (a *App) summary(ctx context.Context, run journal.Run) string {
	page, err := a.Page(ctx, run.ID)
	if err != nil {
		return err.Error() + "\n"
	}
	var text strings.Builder
	if err := (report.Text{Words: a.opt.Words, Now: a.opt.Now()}).Write(&text, page); err != nil {
		return err.Error() + "\n"
	}
	return text.String()
}

// SayAlive pings as serve does as long as it lives; without a declared service it does nothing.
func (a *App) SayAlive(ctx context.Context, log string) {
	if !a.Config.Notify.Ping.IsZero() {
		a.ping(ctx, notify.Ping, a.Config.Notify.Ping, notify.Success, log)
	}
}

// ping calls a ping service once and remembers how that went.
func (a *App) ping(ctx context.Context, c notify.Channel, to secret.Ref, s notify.Signal, log string) {
	address, failure := a.reveal(ctx, to)
	if failure == nil {
		failure = a.web().Ping(ctx, address, s, a.redactor.Redact(log))
	}
	if ctx.Err() != nil {
		return // the process ends
	}
	a.note(c, failure)
}

// note remembers how a try past the outbox went, and tells what is news.
func (a *App) note(c notify.Channel, failure error) notify.Event {
	event, err := a.outbox().Note(c, a.opt.Now(), failure)
	if event.Began || event.Ended {
		_, failed := a.tellOf(event)
		err = errors.Join(err, failed)
	}
	if err != nil {
		a.opt.Log.Error("answer not kept", "channel", c, "error", err)
	}
	return event
}
