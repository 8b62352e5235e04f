package control

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/notify"
	"upkeep/internal/service"
)

// PingView is where one declared ping stands.
type PingView struct {
	Name  string         `json:"name"`
	State notify.State   `json:"state"`
	Since *time.Time     `json:"since"`
	Last  *time.Time     `json:"last_success"`
	Due   *time.Time     `json:"due"`
	Grace float64        `json:"grace_s"`
	Took  *float64       `json:"took_s"` // of the last run that began and ended well
	Calls []journal.Ping `json:"-"`      // oldest first, without their logs
}

// Pings says where the declared pings stand, in the order of their names.
func (a *App) Pings(ctx context.Context) ([]PingView, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	all := []PingView{}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Pings)) {
		view, err := a.standing(ctx, j, name)
		if err != nil {
			return nil, err
		}
		all = append(all, view)
	}
	return all, nil
}

func (a *App) standing(ctx context.Context, j *journal.Journal, name string) (PingView, error) {
	calls, err := j.Pings(ctx, a.Config.System, name, false)
	if err != nil {
		return PingView{}, err
	}
	known, err := a.knownSince(ctx, j, name)
	if err != nil {
		return PingView{}, err
	}
	var heard []notify.Heard
	for _, c := range calls {
		heard = append(heard, notify.Heard{At: c.At, Signal: notify.Signal(c.Signal)})
	}
	declared := a.Config.Pings[name]
	s := notify.Judge(heard, declared.At.Next, declared.Grace.Std(), known, a.opt.Now())
	view := PingView{Name: name, State: s.State, Since: a.moment(s.Since), Last: a.moment(s.Last), Due: a.moment(s.Due),
		Grace: declared.Grace.Std().Seconds(), Calls: calls}
	if s.Took > 0 {
		took := s.Took.Seconds()
		view.Took = &took
	}
	return view, nil
}

// moment is a time in the reader's zone, to the second, or nil.
func (a *App) moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(a.opt.Now().Location()).Truncate(time.Second)
	return &t
}

// knownSince is when a ping was first looked at: from then on it is waited for.
func (a *App) knownSince(ctx context.Context, j *journal.Journal, name string) (time.Time, error) {
	state, now := j.State(a.Config.System, "upkeep"), a.opt.Now()
	written, err := state.Get(ctx, "ping-known "+name)
	if err != nil {
		return now, err
	}
	if known, err := time.Parse(time.RFC3339, written); err == nil {
		return known, nil
	}
	return now, state.Set(ctx, "ping-known "+name, now.Format(time.RFC3339))
}

// PingLog returns the calls of a ping with their logs, oldest first.
func (a *App) PingLog(ctx context.Context, name string) ([]journal.Ping, error) {
	if _, declared := a.Config.Pings[name]; !declared {
		return nil, fmt.Errorf("ping %q: %w", name, service.ErrUndeclared)
	}
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	return j.Pings(ctx, a.Config.System, name, true)
}

// Heard keeps a call, where the key is that of the name: else the error wraps
// service.ErrDenied, for a name that is not declared like for a wrong key.
func (a *App) Heard(ctx context.Context, name, key string, s notify.Signal, body []byte, whole int64) error {
	declared, known := a.Config.Pings[name]
	want := ""
	if known {
		var err error
		if want, err = a.reveal(ctx, declared.Key); err != nil {
			return err
		}
	}
	if !sameKey(key, want) || !known {
		return fmt.Errorf("ping %q: %w", name, service.ErrDenied)
	}
	j, err := a.Journal(ctx)
	if err != nil {
		return err
	}
	return j.Heard(ctx, a.Config.System, journal.Ping{Name: name, At: a.opt.Now(), Signal: string(s), Body: body, Whole: whole})
}

// sameKey compares digests: neither the length of a key nor how much of it was guessed shows
// in the time that it takes.
func sameKey(is, want string) bool {
	a, b := sha256.Sum256([]byte(is)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// checkPings finds what did not call, or called that it had failed.
func (a *App) checkPings(ctx context.Context, v *service.Verdict) error {
	if len(a.Config.Pings) == 0 {
		return nil
	}
	views, err := a.Pings(ctx)
	for _, p := range views {
		if p.State.Down() {
			v.Crit("upkeep.ping-"+string(p.State), p.Name, p.args())
		}
	}
	return err
}

func (p PingView) args() service.Args {
	args := service.Args{"name": p.Name, "grace": p.Grace}
	for name, at := range map[string]*time.Time{"since": p.Since, "due": p.Due, "last": p.Last} {
		if at != nil {
			args[name] = at.Format(time.RFC3339)
		}
	}
	if n := len(p.Calls); n > 0 {
		args["signal"] = p.Calls[n-1].Signal
	}
	return args
}

// checkServe finds a serve that was killed or hangs: one that was stopped has taken its sign
// of life away.
func (a *App) checkServe(v *service.Verdict) error {
	last, alive, err := a.lastBeat()
	if err != nil || last == nil || alive {
		return err
	}
	v.Crit("upkeep.serve-silent", "", service.Args{"pid": last.PID, "since": last.At.Format(time.RFC3339)})
	return nil
}

// checkNews gathers what upkeep finds about its own ways out and in.
func (a *App) checkNews(ctx context.Context, v *service.Verdict) error {
	return errors.Join(a.checkNotify(v), a.checkPings(ctx, v), a.checkServe(v))
}
