package process

import (
	"context"
	"math"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Workers is what upkeep cannot measure of a program that runs many times: {memory: 350 MB,
// cpu: 1%, provider: {keys: 2, at_once: 5}}.
type Workers struct {
	// Memory is what one needs at least: it counts where none was measured or those that
	// run are smaller still.
	Memory quantity.Bytes `yaml:"memory"`
	// CPU is the share of a core that one uses. It counts where none was measured.
	CPU quantity.Share `yaml:"cpu"`
	// Share is how much of the memory all of them may take; 0 = 80%.
	Share quantity.Share `yaml:"share"`
	// Requests is how often one asks the provider: 30/m.
	Requests quantity.Frequency `yaml:"requests"`
	Provider Provider           `yaml:"provider"`
}

// Provider is what the service at the other end accepts.
type Provider struct {
	Keys     int                `yaml:"keys"`     // with limits of their own; 0 = 1
	AtOnce   int                `yaml:"at_once"`  // workers per key; 0 = any number
	Requests quantity.Frequency `yaml:"requests"` // per key: 10/s; 0 = any number
}

func (w Workers) asked() bool { return w != Workers{} }

func (w Workers) validate(p *diag.List) {
	if w.Memory < 0 {
		p.Addf("workers.memory", "must not be negative")
	}
	if w.Provider.Keys < 0 || w.Provider.AtOnce < 0 {
		p.Addf("workers.provider", "must not be negative")
	}
	if w.Provider.Requests > 0 && w.Requests == 0 {
		p.Addf("workers.requests", "must say how often one worker asks, for provider.requests limits that")
	}
}

// share of the memory for all workers.
func (w Workers) share() float64 {
	if w.Share == 0 {
		return 0.8
	}
	return float64(w.Share)
}

// sizing is all that the number of workers follows from.
type sizing struct {
	cfg     Config
	running int
	held    int64 // bytes of those that run
	exact   bool  // held is
	one     sized // what one needs
	now     time.Time
	room
}

// Advise says how many workers are right: as many as the memory holds, the cores serve and
// the provider answers.
func (in *Instance) Advise(ctx context.Context) ([]service.Advice, error) {
	if !in.cfg.Workers.asked() {
		return nil, nil
	}
	before, err := in.measured(ctx)
	if err != nil {
		return nil, err
	}
	g, err := in.find(ctx, nil)
	if err != nil {
		return nil, err
	}
	if g.undecided > 0 {
		return []service.Advice{in.hidden(g)}, nil
	}
	s, err := in.sizing(ctx, g, before)
	if err != nil {
		return nil, err
	}
	return []service.Advice{s.advice()}, nil
}

func (in *Instance) sizing(ctx context.Context, g group, before past) (s sizing, err error) {
	s = sizing{cfg: in.cfg, running: len(g.alive), exact: true, now: in.env.Now()}
	weights, err := in.footprints(ctx, g)
	if err != nil {
		return s, err
	}
	for _, f := range weights {
		s.held, s.exact = s.held+f.bytes, s.exact && f.exact
	}
	if s.one, err = before.sized(g, weights, s.now); err != nil {
		return s, err
	}
	pid := 0
	if len(g.alive) > 0 {
		pid = g.alive[0].PID
	}
	s.room, err = in.room(pid)
	return s, err
}

// hidden is the advice while it is not known how many run.
func (in *Instance) hidden(g group) service.Advice {
	return service.Advice{ID: "workers-unknown", Severity: service.Unknown,
		Inputs: []service.Input{{Name: "running", Known: service.NotKnown, From: "/proc"}},
		Args:   service.Args{"command": in.cfg.name(), "lacks": "running", "hidden": g.undecided}}
}

// advice compares what runs, or may run as declared, with what the bounds allow.
func (s sizing) advice() service.Advice {
	a := service.Advice{ID: "workers-fit", Severity: service.OK, Present: s.running, Inputs: s.inputs(),
		Args: service.Args{"command": s.cfg.name(), "declared": false}}
	if a.Confidence() == service.NotKnown {
		a.ID, a.Severity = "workers-unknown", service.Unknown
		a.Args["lacks"], a.Args["hidden"] = s.lacks(), 0
		return a
	}
	a.Bounds = service.Tightest(s.bounds())
	right := int(a.Bounds[0].Allows)
	a.Proposed, a.Args["bound"], a.Args["more"], a.Args["fewer"] = right, a.Bounds[0].Name, right-s.running, s.running-right
	s.explain(a.Args)
	switch most := s.cfg.Count.Max; {
	case s.running > right, right == 0:
		a.ID, a.Severity = "workers-too-many", service.Warning
	case most > right:
		a.ID, a.Severity, a.Args["declared"], a.Args["most"] = "workers-too-many", service.Warning, true, most
	}
	return a
}

// memory is what one worker needs: the larger of measured and declared, since one that has
// just begun holds little.
func (s sizing) memory() (bytes int64, known service.Knowledge) {
	switch declared := int64(s.cfg.Workers.Memory); {
	case s.one.Memory.Bytes > 0 && s.one.Memory.Bytes >= declared:
		return s.one.Memory.Bytes, service.Measured
	case declared > 0:
		return declared, service.Declared
	}
	return 0, service.NotKnown
}

func (s sizing) cpu() (cores float64, known service.Knowledge) {
	switch {
	case !s.one.CPU.At.IsZero():
		return s.one.CPU.Cores, service.Measured
	case s.cfg.Workers.CPU > 0:
		return float64(s.cfg.Workers.CPU), service.Declared
	}
	return 0, service.NotKnown
}

// lacks names the first input that is not known.
func (s sizing) lacks() string {
	if _, known := s.memory(); known == service.NotKnown {
		return "memory"
	}
	return "cpu"
}

func (s sizing) bounds() (all []service.Bound) {
	add := func(name string, allows float64) {
		all = append(all, service.Bound{Name: name, Allows: math.Floor(allows)})
	}
	one, _ := s.memory()
	share, held := s.cfg.Workers.share(), float64(s.held)
	add("memory", share*(float64(s.available)+held)/float64(one))
	if s.groupFile != "" {
		add("control-group", share*(float64(s.group)+held)/float64(one))
	}
	w := s.cfg.Workers
	keys := float64(max(w.Provider.Keys, 1))
	if w.Provider.AtOnce > 0 {
		add("at-once", keys*float64(w.Provider.AtOnce))
	}
	if w.Provider.Requests > 0 {
		// A hair's breadth keeps 10/s over 30/m, which is no whole number in binary, at 20.
		add("requests", keys*float64(w.Provider.Requests)/float64(w.Requests)*(1+1e-12))
	}
	if cpu, _ := s.cpu(); cpu > 0 { // one may use more than all cores and is right all the same
		add("cores", max(1, min(s.cores/cpu, math.MaxInt32)))
	}
	return all
}

// explain gives the words the numbers of the binding bound.
func (s sizing) explain(args service.Args) {
	w := s.cfg.Workers
	one, _ := s.memory()
	cpu, _ := s.cpu()
	args["memory"], args["cpu"], args["cores"] = one, cpu, s.cores
	args["share"] = w.share()
	args["usable"] = int64(w.share() * float64(s.available+s.held))
	if args["bound"] == "control-group" {
		args["usable"] = int64(w.share() * float64(s.group+s.held))
	}
	args["keys"], args["at_once"] = max(w.Provider.Keys, 1), w.Provider.AtOnce
	args["requests"], args["each"] = 60*float64(w.Provider.Requests), 60*float64(w.Requests)
}

func (s sizing) inputs() []service.Input {
	all := []service.Input{
		{Name: "running", Value: s.running, Known: service.Measured, From: "/proc"},
		{Name: "memory-available", Value: s.available, Known: service.Measured, From: "/proc/meminfo"},
		{Name: "memory-held", Value: s.held, Known: service.Measured, From: footprint{exact: s.exact}.from()},
		s.memoryInput(),
		s.cpuInput(),
		{Name: "cores", Value: s.cores, Known: service.Measured, From: s.coresFrom()},
	}
	if s.groupFile != "" {
		all = append(all, service.Input{Name: "control-group-left", Value: s.group, Known: service.Measured, From: s.groupFile})
	}
	return append(all, s.declared()...)
}

func (s sizing) coresFrom() string {
	if s.coresFile != "" {
		return s.coresFile
	}
	return "/proc/cpuinfo"
}

func (s sizing) memoryInput() service.Input {
	bytes, known := s.memory()
	in := service.Input{Name: "memory", Known: known, From: "workers.memory"}
	if known != service.NotKnown {
		in.Value = bytes
	}
	if known == service.Measured {
		in.From, in.Over = footprint{exact: s.one.Memory.Exact}.from()+s.when(s.one.Memory.At), s.one.Memory.Over
	}
	return in
}

func (s sizing) cpuInput() service.Input {
	cores, known := s.cpu()
	in := service.Input{Name: "cpu", Known: known, From: "workers.cpu"}
	if known != service.NotKnown {
		in.Value = cores
	}
	if known == service.Measured {
		in.From, in.Over = "/proc/PID/stat"+s.when(s.one.CPU.At), s.one.CPU.Over
	}
	return in
}

// when tells a measurement of an earlier check from one of now.
func (s sizing) when(at time.Time) string {
	if at.Equal(s.now) {
		return ""
	}
	return " at " + at.UTC().Format(time.RFC3339)
}

// declared are the limits that only the declaration knows.
func (s sizing) declared() (all []service.Input) {
	p := s.cfg.Workers.Provider
	for _, in := range []service.Input{
		{Name: "keys", Value: p.Keys, From: "workers.provider.keys"},
		{Name: "at-once", Value: p.AtOnce, From: "workers.provider.at_once"},
		{Name: "provider-requests", Value: float64(p.Requests), From: "workers.provider.requests"},
		{Name: "requests", Value: float64(s.cfg.Workers.Requests), From: "workers.requests"},
	} {
		if in.Value != 0 && in.Value != 0.0 {
			in.Known = service.Declared
			all = append(all, in)
		}
	}
	return all
}
