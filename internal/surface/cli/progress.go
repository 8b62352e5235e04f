package cli

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"upkeep/internal/engine"
)

// patience is how long a step runs before a line about it is worth printing
// where there is no terminal.
const patience = 2 * time.Second

// progress returns what is told of every step: bars with rate and time left on a
// terminal, one line per long step elsewhere, nothing when nobody wants it.
func (c *cli) progress() func(engine.Event) {
	switch {
	case c.quiet:
		return nil
	case terminal(c.Err) && c.Getenv("TERM") != "dumb":
		return newBars(c).watch
	case c.json:
		return nil
	}
	return (&lines{cli: c, begun: map[string]time.Time{}}).watch
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
