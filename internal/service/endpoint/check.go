package endpoint

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"upkeep/internal/service"
)

// Check asks once and judges the answer. No answer at all is an error: only the
// declared order of targets can tell whether the server or the way is down.
func (in *Instance) Check(ctx context.Context) (service.Verdict, error) {
	var v service.Verdict
	a, err := in.ask(ctx)
	if err != nil {
		return v, in.explain(err, &v)
	}
	in.judge(a, &v)
	return v, nil
}

// explain turns an error that judges the server into a finding and returns any
// other.
func (in *Instance) explain(err error, v *service.Verdict) error {
	var wait *held
	switch {
	case errors.As(err, &wait):
		in.judgeHeld(wait, v)
		return others(err)
	case errors.Is(err, errRedirects):
		v.Crit("redirect-loop", "", service.Args{"url": shown(in.url), "redirects": mostRedirects})
		return nil
	case in.judgeTLS(err, v):
		return nil
	}
	return err
}

// others returns what was joined to a *held: a State that could not be written.
func others(err error) error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return nil
	}
	var rest []error
	for _, e := range joined.Unwrap() {
		if wait := (*held)(nil); !errors.As(e, &wait) {
			rest = append(rest, e)
		}
	}
	return errors.Join(rest...)
}

// judgeHeld says that we do not know: a server that limits us may serve its users
// well.
func (in *Instance) judgeHeld(wait *held, v *service.Verdict) {
	args := service.Args{"host": hostPort(in.url), "until": wait.until.Format(time.RFC3339),
		"wait": max(wait.until.Sub(in.env.Now()), 0).Seconds()}
	if wait.limited {
		v.Unsure("probe-limited", "", args)
		return
	}
	v.Unsure("budget-spent", "", args)
}

func (in *Instance) judge(a answer, v *service.Verdict) {
	v.Set("took_s", a.took.Seconds())
	in.judgeLatency(a, v)
	if in.url.Scheme == "tcp" {
		return
	}
	v.Set("status", a.status)
	v.Set("body_bytes", len(a.body))
	in.judgeStatus(a, v)
	in.judgeBody(a, v)
	in.judgeExpiry(a.tls, v)
}

func (in *Instance) judgeLatency(a answer, v *service.Verdict) {
	limits := in.cfg.Latency
	args := service.Args{"took": a.took.Seconds()}
	switch {
	case limits.Critical > 0 && a.took >= limits.Critical.Std():
		args["limit"] = limits.Critical.Std().Seconds()
		v.Crit("slow", "", args)
	case limits.Warning > 0 && a.took >= limits.Warning.Std():
		args["limit"] = limits.Warning.Std().Seconds()
		v.Warn("slow", "", args)
	}
}

func (in *Instance) judgeStatus(a answer, v *service.Verdict) {
	if in.cfg.Expect.Status.covers(a.status) {
		return
	}
	args := service.Args{"url": shown(in.url), "status": a.status, "name": http.StatusText(a.status),
		"want": in.cfg.Expect.Status.String()}
	if to, err := url.Parse(a.header.Get("Location")); a.status/100 == 3 && err == nil && to.String() != "" {
		args["to"] = shown(in.url.ResolveReference(to))
		v.Crit("redirected", "", args)
		return
	}
	v.Crit("status", "", args)
}
