package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"upkeep/bench/measure"
	"upkeep/bench/table"
	"upkeep/bench/tool"
	"upkeep/lab"
)

// The works of what goes on around the clock.
const (
	AroundTheClock = "the example system watched every 15 s, rules on, home page open"
	PageReady      = "start of upkeep serve to its page"
)

// Around watches upkeep serve and Debian's Prometheus family side by side, on the same
// servers at the same time: what disturbs one disturbs the other.
type Around struct {
	Rows    int           // in PostgreSQL, besides those that the application makes
	For     time.Duration // how long both are watched
	Scratch string
	Rounds  int // of starts
}

const (
	lookEvery = 10 * time.Second
	warmUp    = 10 * time.Minute // after which growth is counted
	pageEvery = 15 * time.Second // as the page itself does
)

// Run fills r. upkeep may be nil.
func (a Around) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	c, end, err := startExample(ctx, a.Rows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	work := filepath.Join(a.Scratch, "around")
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if u == nil {
		return errors.New("around compares with upkeep's own rules: it needs upkeep")
	}
	s, err := a.adopt(c, u)
	if err != nil {
		return err
	}
	for range a.Rounds {
		ready, err := s.start(ctx, work, startInBackground)
		if err != nil {
			return err
		}
		r.Fail(r.cost(PageReady, u.Name(), measure.Cost{Wall: ready}, nil))
		if err := s.stop(); err != nil {
			return err
		}
	}
	rules, err := s.exportRules(ctx, work)
	if err != nil {
		return err
	}
	f, err := startFamily(ctx, work, c, rules)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	if _, err := s.start(ctx, work, startFromDisk); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	return a.watch(ctx, r, s, f)
}

// watch looks at both for as long as was asked.
func (a Around) watch(ctx context.Context, r *Result, s *served, f *family) error {
	timed, cancel := context.WithTimeout(ctx, a.For)
	defer cancel()
	opened := make(chan error, 1)
	go func() { opened <- s.keepOpen(timed) }()
	ours := measure.Group{Name: table.Subject, PIDs: []int{s.running.pid()}}
	watched, err := measure.Watch(timed, lookEvery, ours, f.group())
	if err != nil {
		return err
	}
	if err := <-opened; err != nil {
		return err
	}
	for _, w := range watched {
		r.Fail(r.cost(AroundTheClock, w.Name, measure.Cost{Wall: w.For, CPU: w.CPU, Peak: w.Median()}, nil))
		r.Note("around", fmt.Sprintf("%s: resident %d to %d MiB, growth after the first ten minutes %.1f MB", w.Name,
			lowest(w.Resident)>>20, highest(w.Resident)>>20, float64(w.Growth(int(warmUp/lookEvery)))/1e6))
	}
	r.Note("around", "all programs were read from the disk at their start, as after a boot; starts until the page are with the file in the cache")
	r.Note("around", fmt.Sprintf("both for %s at the same time on the same servers; upkeep watches all %d targets of the example and judges them each minute, the others the machine, PostgreSQL and Redis alone. "+
		"Resident is the median of the sum over a group's programs, every %s", a.For, stackTargets, lookEvery))
	return ctx.Err()
}

func lowest(values []int64) int64 {
	least := values[0]
	for _, v := range values {
		least = min(least, v)
	}
	return least
}

func highest(values []int64) int64 {
	most := values[0]
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// served is upkeep serve on the example system.
type served struct {
	u       *tool.Upkeep
	dir     string
	address string
	running *background
}

// adopt extends the example's declaration to all targets and a port of its own.
func (a Around) adopt(c *lab.CotStudio, u *tool.Upkeep) (*served, error) {
	backend, err := c.Part("backend")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	s := &served{u: u, dir: c.Dir, address: "127.0.0.1:" + strconv.Itoa(ports[0])}
	file := filepath.Join(c.Dir, "upkeep.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the declaration of the example system: %w", err)
	}
	more := "services:\n" + fmt.Sprintf(fourMore, backend.Addr())
	text = bytes.Replace(text, []byte("services:\n"), []byte(more), 1)
	text = append(text, "\nlisten: "+s.address+"\n"...)
	u.Adopt(c.Dir)
	return s, os.WriteFile(file, text, 0o600)
}

// starter is one of the ways in which a program starts.
type starter func(ctx context.Context, dir, url string, env []string, argv ...string) (*background, error)

// start returns how long it took until the page was there.
func (s *served) start(ctx context.Context, work string, starting starter) (ready time.Duration, err error) {
	argv, env := s.u.Command("serve")
	begun := time.Now()
	s.running, err = starting(ctx, work, "http://"+s.address+"/", env, argv...)
	return time.Since(begun), err
}

func (s *served) stop() error { return s.running.stop() }

// keepOpen asks for the home page as often as an open one does.
func (s *served) keepOpen(ctx context.Context) error {
	tick := time.NewTicker(pageEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := get(ctx, "http://"+s.address+"/"); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// exportRules writes the rules that upkeep comes with, for the others to judge by, and
// returns the pattern of their files.
func (s *served) exportRules(ctx context.Context, dir string) (string, error) {
	argv, env := s.u.Command("export", "prometheus", "--out", dir)
	_, _, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: env, Dir: s.dir})
	return filepath.Join(dir, "etc/prometheus/upkeep-rules/*.yaml"), err
}
