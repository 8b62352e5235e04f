package serve

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/capability/collect"
	"upkeep/internal/control"
)

// collector takes a round of samples of the declared services again and again.
type collector struct {
	process *Process

	mu    sync.Mutex
	every time.Duration
	last  *collect.Exposition // the latest round
	sinks []func(ctx context.Context, at time.Time, families []*dto.MetricFamily)
}

func newCollector(_ context.Context, p *Process) (part, []route, error) {
	c := &collector{process: p, every: p.opt.Config.Monitor.Every.Std()}
	p.collector = c
	p.messenger.goesRound(c.Name(), c.every)
	return c, []route{{"GET /metrics", http.HandlerFunc(c.metrics)}}, nil
}

func (*collector) Name() string { return "collect" }

// tell adds somebody who is given every round. It is called before Run only.
func (c *collector) tell(sink func(ctx context.Context, at time.Time, families []*dto.MetricFamily)) {
	c.sinks = append(c.sinks, sink)
}

func (c *collector) Run(ctx context.Context) error {
	every(ctx, c.interval, c.round)
	return nil
}

func (c *collector) interval() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.every
}

func (c *collector) round(ctx context.Context) {
	defer func() { c.process.messenger.goesRound(c.Name(), c.interval()) }()
	app, done := c.process.App()
	defer done()
	at := c.process.Now()
	round, _, err := app.Samples(ctx, nil) // of a target that failed, the sample up says so
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.process.Log().Error("samples of upkeep itself are not whole", "error", err)
	}
	for _, sink := range c.sinks {
		sink(ctx, at, round.Families())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = round
}

// Reload takes the interval; what is collected is asked of the declaration each time.
func (c *collector) Reload(_ context.Context, app *control.App) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.every = app.Config.Monitor.Every.Std()
	return nil
}

// metrics shows the latest round to whoever scrapes.
func (c *collector) metrics(w http.ResponseWriter, _ *http.Request) {
	text, err := c.text()
	switch {
	case err != nil:
		http.Error(w, "500: "+err.Error(), http.StatusInternalServerError)
	case text == nil:
		http.Error(w, "503: nothing was collected yet", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(text) // whoever asked has gone
	}
}

// text is the latest round as exporters show theirs; nil before the first.
func (c *collector) text() ([]byte, error) {
	c.mu.Lock() // writing sorts it
	defer c.mu.Unlock()
	if c.last == nil {
		return nil, nil
	}
	var text bytes.Buffer
	err := c.last.Text(&text)
	return text.Bytes(), err
}
