package control_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

const windows = `windows:
  night: {at: "Saturday 22:00", for: 2h, targets: [a]}
`

// saturday is before the window, on a Saturday.
var saturday = time.Date(2026, 11, 21, 20, 0, 0, 0, time.Local)

func window(t *testing.T, app *control.App, name string) control.Window {
	t.Helper()
	all, err := app.Windows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if w.Name == name {
			return w
		}
	}
	return control.Window{}
}

func TestADeclaredWindowOpensByItself(t *testing.T) {
	l := newLab(t, windows, "a")
	l.now = saturday
	app := l.open(t)
	opens := saturday.Add(2 * time.Hour)
	for name, tc := range map[string]struct {
		after time.Duration
		open  bool
		from  time.Time
	}{
		"before":            {0, false, opens},
		"on the minute":     {2 * time.Hour, true, opens},
		"its last second":   {4*time.Hour - time.Second, true, opens},
		"closed by its end": {4 * time.Hour, false, opens.AddDate(0, 0, 7)},
	} {
		l.now = saturday.Add(tc.after)
		if w := window(t, app, "night"); w.Open != tc.open || !w.From.Equal(tc.from) {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

func TestAWindowIsTurnedByHand(t *testing.T) {
	l := newLab(t, windows, "a")
	l.now = saturday
	app := l.open(t)
	opened, err := app.OpenWindow(t.Context(), control.Opening{Name: "night", For: time.Hour, Why: "new disk"})
	if err != nil || !opened.Open || opened.By != "li" || len(opened.Targets) != 1 || !opened.Until.Equal(l.now.Add(time.Hour)) {
		t.Fatalf("%+v, %v", opened, err)
	}
	l.now = l.now.Add(30 * time.Minute)
	if w, err := app.CloseWindow(t.Context(), "night", "", ""); err != nil || w.Open || !w.From.Equal(saturday.Add(2*time.Hour)) {
		t.Errorf("closed: %+v, %v", w, err)
	}
	if _, err := app.CloseWindow(t.Context(), "night", "", ""); !errors.Is(err, service.ErrRefused) {
		t.Errorf("closed twice: %v", err)
	}
	l.now = saturday.Add(2*time.Hour + time.Minute)
	if w, err := app.CloseWindow(t.Context(), "night", "", ""); err != nil || w.Open || !w.From.Equal(saturday.Add(7*24*time.Hour+2*time.Hour)) {
		t.Errorf("one that opened by itself: %+v, %v", w, err)
	}
	l.now = saturday.Add(7*24*time.Hour + 2*time.Hour)
	if w := window(t, app, "night"); !w.Open {
		t.Errorf("a week later: %+v", w)
	}
}

func TestAWindowThatIsNotDeclaredIsListedWhileOpen(t *testing.T) {
	l := newLab(t, "", "a")
	app := l.open(t)
	for name, tc := range map[string]control.Opening{
		"no reason":      {Name: "move", For: time.Hour},
		"no time":        {Name: "move", Why: "x"},
		"for ever":       {Name: "move", For: 1000 * time.Hour, Why: "x"},
		"no name":        {Name: "a b", For: time.Hour, Why: "x"},
		"unknown target": {Name: "move", For: time.Hour, Why: "x", Targets: []string{"nobody"}},
	} {
		if _, err := app.OpenWindow(t.Context(), tc); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := app.OpenWindow(t.Context(), control.Opening{Name: "move", For: time.Hour, Why: "x"}); err != nil {
		t.Fatal(err)
	}
	if w := window(t, app, "move"); !w.Open || !w.Mute {
		t.Errorf("%+v", w)
	}
	l.now = l.now.Add(time.Hour)
	if all, err := app.Windows(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAJobTurnsWindows(t *testing.T) {
	l := newLab(t, `jobs: {move: {do: ["window open move 1h", check, "window close move", "window close move"]}}`, "a")
	app := l.open(t)
	run, err := app.RunJob(t.Context(), "move")
	if err != nil || run.Exit != 0 || steps(run) != "window 0, check 0, window 0, window 0" {
		t.Fatalf("exit %d, %v: %s", run.Exit, err, steps(run))
	}
	j, err := app.Journal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	notes, err := j.Notes(t.Context(), "shop", "window")
	if err != nil || len(notes) != 2 || !strings.Contains(string(notes[1].Body), `"by":"job move"`) {
		t.Errorf("%v, %v", bodies(notes), err)
	}
}

func bodies(notes []journal.Note) (all []string) {
	for _, n := range notes {
		all = append(all, string(n.Body))
	}
	return all
}
