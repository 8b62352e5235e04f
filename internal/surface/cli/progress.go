package cli

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"upkeep/internal/capability/report"
	"upkeep/internal/engine"
)

// patience is how long a step runs before a line about it is worth printing
// where there is no terminal.
const patience = 2 * time.Second

// progress returns what is told of every step: bars with rate and time left on a
// terminal, one line per long step elsewhere, what a long check has found so far, and
// nothing when nobody wants it.
func (c *cli) progress() func(engine.Event) {
	watch := (&lines{cli: c, begun: map[string]time.Time{}}).watch
	switch {
	case c.quiet:
		return nil
	case terminal(c.Err) && c.Getenv("TERM") != "dumb":
		watch = newBars(c).watch
	case c.json:
		return nil
	}
	early := &early{cli: c}
	return func(e engine.Event) {
		if e.Verb == "check" {
			early.watch(e)
			return
		}
		watch(e)
	}
}

// early prints verdicts as they come once a check takes long: a target that does not
// answer must not hide the others until its time is over.
type early struct {
	cli     *cli
	mu      sync.Mutex
	running int // steps
	timer   *time.Timer
	late    bool // patience is over
	held    []string
}

func (w *early) watch(e engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.State {
	case engine.Started:
		if w.running++; w.timer == nil {
			w.timer = time.AfterFunc(patience, w.show)
		}
	case engine.Finished:
		if e.Result != nil {
			w.held = append(w.held, w.text().Line(*e.Result))
		}
		if w.late {
			w.print()
		}
		if w.running--; w.running == 0 { // the page follows
			w.timer.Stop()
			w.timer, w.late, w.held = nil, false, nil
		}
	}
}

func (w *early) show() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = w.running > 0
	w.print()
}

func (w *early) print() {
	for _, line := range w.held {
		fmt.Fprintln(w.cli.Err, line)
	}
	w.held = nil
}

func (w *early) text() report.Text {
	text := w.cli.text()
	text.Colour = w.cli.colour(w.cli.Err)
	return text
}

// waits is told at once: nothing else is seen until the turn comes.
func (c *cli) waits(e engine.Event) {
	fmt.Fprintln(c.Err, c.words.Message(e.Title.ID, e.Title.Args))
}

// lines prints a line when a step that took long has ended.
type lines struct {
	cli   *cli
	mu    sync.Mutex
	begun map[string]time.Time
}

func (l *lines) watch(e engine.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.State {
	case engine.Waiting:
		l.cli.waits(e)
	case engine.Started:
		l.begun[e.Step] = time.Now()
	case engine.Finished:
		begun, here := l.begun[e.Step] // else an earlier process did it
		if took := time.Since(begun); here && took > patience {
			fmt.Fprintf(l.cli.Err, "%s  %s\n", l.cli.words.Message(e.Title.ID, e.Title.Args), l.cli.words.Duration(took))
		}
	}
}

// bars draws one bar per running step that moves bytes.
type bars struct {
	cli      *cli
	mu       sync.Mutex
	progress *mpb.Progress
	running  map[string]*mpb.Bar
}

func newBars(c *cli) *bars { return &bars{cli: c, running: map[string]*mpb.Bar{}} }

func (b *bars) watch(e engine.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.State {
	case engine.Waiting:
		b.cli.waits(e)
	case engine.Moving:
		bar := b.bar(e)
		bar.SetTotal(max(e.Total, e.Done+1), false)
		bar.SetCurrent(e.Done)
	case engine.Finished:
		if bar, ok := b.running[e.Step]; ok {
			bar.Abort(true)
			bar.Wait()
			delete(b.running, e.Step)
		}
	}
}

func (b *bars) bar(e engine.Event) *mpb.Bar {
	if bar, ok := b.running[e.Step]; ok {
		return bar
	}
	if b.progress == nil {
		b.progress = mpb.New(mpb.WithOutput(b.cli.Err), mpb.WithWidth(32))
	}
	bar := b.progress.AddBar(0,
		mpb.PrependDecorators(decor.Name(b.cli.words.Message(e.Title.ID, e.Title.Args)+" ", decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f"), decor.Name("  "),
			decor.AverageSpeed(decor.SizeB1000(0), "% .1f"), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
	b.running[e.Step] = bar
	return bar
}
