package serve

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/control"
	"upkeep/internal/monitor/alerts"
)

// mutingEvery is how soon alerts are held back once a window is open, and how soon they
// go again once it was closed by hand. One that closes by itself ends to the second.
const mutingEvery = 5 * time.Second

// mutedBy marks the silences of windows. Others are left alone.
const mutedBy = "upkeep: window "

// Run keeps a silence for every window that is open and mutes.
func (w *windows) Run(ctx context.Context) error {
	every(ctx, func() time.Duration { return mutingEvery }, w.mute)
	return nil
}

func (w *windows) mute(ctx context.Context) {
	app, done := w.process.App()
	defer done()
	if err := w.silence(ctx, app); err != nil && ctx.Err() == nil {
		w.process.Log().Error("alerts of open windows not muted as they should be", "error", err)
	}
}

// silence adds the silences that are missing and ends those whose window is not open any
// more. What is there already is Alertmanager's to say, so a restart doubles none.
func (w *windows) silence(ctx context.Context, app *control.App) error {
	all, err := app.Windows(ctx)
	if err != nil {
		return err
	}
	there, err := w.process.Alerting().Silences(ctx)
	if err != nil {
		return err
	}
	wanted := muting(all)
	for _, s := range there {
		if s.State != "active" || !strings.HasPrefix(s.By, mutedBy) {
			continue
		}
		i := slices.IndexFunc(wanted, func(want alerts.Silence) bool { return alike(want, s) })
		if i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			continue
		}
		if err := w.process.Alerting().Expire(ctx, s.ID); err != nil {
			return err
		}
	}
	for _, s := range wanted {
		s.Starts = w.process.Now()
		if _, err := w.process.Alerting().Silence(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.By, err)
		}
	}
	return nil
}

// muting lists the silences that windows stand for. One for every target leaves what
// upkeep says of itself, and the canary: who works on a system still wants to know when
// alerts do not arrive.
func muting(all []control.Window) (wanted []alerts.Silence) {
	for _, w := range all {
		if !w.Open || !w.Mute {
			continue
		}
		s := alerts.Silence{By: mutedBy + w.Name, Ends: w.Until, Comment: w.Why, Matchers: []string{`target!="upkeep"`, `upkeep_canary=""`}}
		if len(w.Targets) > 0 {
			s.Matchers = []string{fmt.Sprintf("target=~%q", strings.Join(w.Targets, "|"))}
		}
		if w.By != "" {
			s.Comment = w.By + ": " + w.Why
		}
		if s.Comment == "" {
			s.Comment = "declared in upkeep.yaml"
		}
		wanted = append(wanted, s)
	}
	return wanted
}

func alike(a, b alerts.Silence) bool {
	return a.By == b.By && slices.Equal(a.Matchers, b.Matchers) && a.Ends.Truncate(time.Second).Equal(b.Ends.Truncate(time.Second))
}
