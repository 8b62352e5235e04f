package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Window is a time in which disruptive work may begin: one that is declared, or that
// somebody opened.
type Window struct {
	Name    string    `json:"window"`
	At      string    `json:"at,omitempty"`      // when it opens by itself
	Targets []string  `json:"targets,omitempty"` // whose work waits for it; none = every target's
	Mute    bool      `json:"mute"`              // alerts of its targets while it is open
	Open    bool      `json:"open"`
	From    time.Time `json:"from,omitzero"`  // when it opened; of a closed one, when it opens next
	Until   time.Time `json:"until,omitzero"` // when it closes by itself
	By      string    `json:"by,omitempty"`   // who opened or closed it by hand, and why
	Why     string    `json:"why,omitempty"`
	Run     string    `json:"run,omitempty"` // of the job that did
}

// Opening is what somebody asks for who opens a window.
type Opening struct {
	Name    string
	For     time.Duration
	Why     string
	Targets []string // none = those that are declared for it, else every target
	By, Run string   // By: who asks where that is not Options.User
}

// windowNote is the kind of notes that open and close windows.
const windowNote = "window"

// turned is the body of such a note.
type turned struct {
	Name    string    `json:"window"`
	Until   time.Time `json:"until,omitzero"` // zero: it was closed
	Targets []string  `json:"targets,omitempty"`
	By      string    `json:"by"`
	Why     string    `json:"why,omitempty"`
	Run     string    `json:"run,omitempty"`
}

// longestWindow bounds one that is opened by hand: nobody means to leave a system
// without alerts for longer.
const longestWindow = 7 * 24 * time.Hour

// Windows lists the declared windows and those that are open by hand, by name.
func (a *App) Windows(ctx context.Context) ([]Window, error) {
	turns, err := a.turns(ctx)
	if err != nil {
		return nil, err
	}
	windows := []Window{}
	names := slices.Collect(maps.Keys(a.Config.Windows))
	for name := range turns {
		if _, declared := a.Config.Windows[name]; !declared {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		w, declared := a.window(name, turns[name])
		if declared || w.Open {
			windows = append(windows, w)
		}
	}
	return windows, nil
}

// byHand is the last time that somebody opened or closed a window.
type byHand struct {
	turned
	at time.Time
}

// turns reads what was done by hand, by name of the window.
func (a *App) turns(ctx context.Context) (map[string]byHand, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	notes, err := j.Notes(ctx, a.Config.System, windowNote)
	if err != nil {
		return nil, err
	}
	last := map[string]byHand{}
	for _, n := range notes {
		var t turned
		if err := json.Unmarshal(n.Body, &t); err != nil {
			return nil, fmt.Errorf("read note %d of a window: %w", n.Seq, err)
		}
		if _, later := last[t.Name]; !later {
			last[t.Name] = byHand{t, n.At}
		}
	}
	return last, nil
}

// window is how one stands now. What was done by hand counts before what is declared.
func (a *App) window(name string, hand byHand) (w Window, declared bool) {
	c, declared := a.Config.Windows[name]
	now := a.opt.Now()
	w = Window{Name: name, At: c.At.Text, Targets: c.Targets, Mute: c.Mute || !declared}
	if now.Before(hand.Until) {
		w.Open, w.From, w.Until = true, hand.at, hand.Until
		w.Targets, w.By, w.Why, w.Run = hand.Targets, hand.By, hand.Why, hand.Run
		return w, declared
	}
	if !declared {
		return w, false
	}
	w.From = c.At.Next(now.Add(-c.For.Std()))
	if closed := hand.Name != "" && hand.Until.IsZero(); closed && !hand.at.Before(w.From) {
		w.By, w.Run = hand.By, hand.Run
		w.From = c.At.Next(now)
	}
	if w.Open = !w.From.IsZero() && !w.From.After(now); w.Open {
		w.Until = w.From.Add(c.For.Std())
	}
	return w, true
}

// OpenWindow opens a window by hand. One that is open already is open until the new
// end from now on.
func (a *App) OpenWindow(ctx context.Context, o Opening) (Window, error) {
	if err := a.openable(o); err != nil {
		return Window{}, err
	}
	if len(o.Targets) == 0 {
		o.Targets = a.Config.Windows[o.Name].Targets
	}
	until := a.opt.Now().Add(o.For).In(a.Zone()).Truncate(time.Second)
	return a.turn(ctx, turned{Name: o.Name, Until: until, Targets: o.Targets, By: o.By, Why: o.Why, Run: o.Run})
}

func (a *App) openable(o Opening) error {
	switch {
	case !regexp.MustCompile(`^[\p{Han}a-zA-Z][\p{Han}a-zA-Z0-9_-]{0,62}$`).MatchString(o.Name):
		return fmt.Errorf("a window needs a name of letters, digits, _ or -, not %q: %w", o.Name, service.ErrUndeclared)
	case o.For <= 0 || o.For > longestWindow:
		return fmt.Errorf("a window is open for up to %s, not %s: %w", quantity.Duration(longestWindow), o.For, service.ErrRefused)
	case strings.TrimSpace(o.Why) == "":
		return &service.Fault{ID: "error.window-why", Args: service.Args{"window": o.Name},
			Err: fmt.Errorf("nobody said why window %s is opened: %w", o.Name, service.ErrRefused)}
	}
	_, err := a.Inventory.Select(o.Targets)
	return err
}

// CloseWindow closes a window that is open, by hand or as declared; it opens again
// when that is due next.
func (a *App) CloseWindow(ctx context.Context, name, by, run string) (Window, error) {
	windows, err := a.Windows(ctx)
	if err != nil {
		return Window{}, err
	}
	if !slices.ContainsFunc(windows, func(w Window) bool { return w.Name == name && w.Open }) {
		return Window{}, &service.Fault{ID: "error.window-not-open", Args: service.Args{"window": name},
			Err: fmt.Errorf("window %s is not open: %w", name, service.ErrRefused)}
	}
	return a.turn(ctx, turned{Name: name, By: by, Run: run})
}

// turn records what was done by hand and returns how the window stands then.
func (a *App) turn(ctx context.Context, t turned) (Window, error) {
	if t.By == "" {
		t.By = a.opt.User
	}
	j, err := a.Journal(ctx)
	if err != nil {
		return Window{}, err
	}
	if err := j.Note(ctx, a.Config.System, windowNote, t); err != nil {
		return Window{}, fmt.Errorf("record who turned window %s: %w", t.Name, err)
	}
	w, _ := a.window(t.Name, byHand{t, a.opt.Now()})
	return w, nil
}

// covers reports whether work on a target waits for the window.
func (w Window) covers(target string) bool {
	return len(w.Targets) == 0 || slices.Contains(w.Targets, target)
}

// ofJob is the window that a job has of its own: for some time after its turn.
func (a *App) ofJob(name string, job config.Job) Window {
	now := a.opt.Now()
	w := Window{Name: name, At: job.At.Text, From: job.At.Next(now.Add(-job.Window.Std()))}
	w.Open = !w.From.IsZero() && !w.From.After(now)
	return w
}
