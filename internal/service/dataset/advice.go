package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// Batches say how programs make the rows of a table: so many items, then all of them are
// saved. {table: leaves, items: "sum(total)", seconds: "sum(total * avg_execution_time)",
// overhead: 30s, lost_every: 8h, timeout: 20m}.
type Batches struct {
	Table string `yaml:"table"` // that tells how long items took
	// Items and seconds are how many items its rows tell of, and how long those took together.
	Items   string `yaml:"items"`
	Seconds string `yaml:"seconds"`
	// Slowest is how many seconds an item of the slowest sort takes: a batch may be of those
	// alone. Without it the timeout is judged by the mean.
	Slowest string `yaml:"slowest"`
	// Failures is how many batches were lost during these seconds, where the table knows.
	Failures string `yaml:"failures"`
	// LostEvery is how long a program works until a batch is lost, on average, where it does
	// not: killed, hung, out of time.
	LostEvery quantity.Duration `yaml:"lost_every"`
	// Overhead is what a batch costs beside its items: starting, loading, saving.
	Overhead quantity.Duration `yaml:"overhead"`
	// Timeout is after which a batch is ended by whoever runs it; 0 = never.
	Timeout quantity.Duration `yaml:"timeout"`
	// Checkpoint is after how many items the program saves by itself, and saves nothing
	// before; 0 = at the end of the batch.
	Checkpoint int `yaml:"checkpoint"`
	Size       int `yaml:"size"` // that is used now; 0 = not told
}

func (c *Config) batches(p *diag.List) {
	b := c.Batches
	if !b.Asked() {
		return
	}
	if _, declared := c.Tables[b.Table]; !declared {
		p.Addf("batches.table", "%q is no declared table", b.Table)
	}
	if b.Items == "" || b.Seconds == "" {
		p.Addf("batches", "must have items and seconds: {items: \"sum(total)\", seconds: \"sum(total * seconds_each)\"}")
	}
	if b.Failures != "" && b.LostEvery > 0 {
		p.Addf("batches.lost_every", "must not stand beside failures")
	}
	if b.Checkpoint < 0 || b.Size < 0 {
		p.Addf("batches", "checkpoint and size must not be negative")
	}
}

// expressions of batches, by path.
func (b Batches) expressions() map[string]string {
	all := map[string]string{}
	for name, text := range map[string]string{"items": b.Items, "seconds": b.Seconds, "slowest": b.Slowest, "failures": b.Failures} {
		if text != "" {
			all["batches."+name] = text
		}
	}
	return all
}

// Asked reports whether batches are declared.
func (b Batches) Asked() bool { return b != Batches{} }

// batch is all that the size of one follows from. Times are in seconds.
type batch struct {
	Batches
	items, seconds float64
	slowest        float64 // of one item; NaN = not known
	failures       float64 // batches lost; NaN = not known
}

// Advise says how large a batch is right, where batches are declared.
func (in *Instance) Advise(ctx context.Context) ([]service.Advice, error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	if !cfg.Batches.Asked() {
		return nil, nil
	}
	b, err := in.batch(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return []service.Advice{b.advice()}, nil
}

// batch asks the table, whole: a part of it would give other times.
func (in *Instance) batch(ctx context.Context, cfg Config) (b batch, err error) {
	b = batch{Batches: cfg.Batches, slowest: math.NaN(), failures: math.NaN()}
	if b.Table == "" { // of a store whose form is not known
		return b, nil
	}
	var v service.Verdict
	s, err := in.open(ctx, how{budget: -1, only: func(name string) bool { return name == b.Table }}, &v)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if !s.asked[b.Table] || s.partial[b.Table] {
		return b, nil
	}
	row, err := s.db.One(ctx, fmt.Sprintf("SELECT (%s)::DOUBLE, (%s)::DOUBLE, (%s)::DOUBLE, (%s)::DOUBLE FROM %s",
		b.Items, b.Seconds, orNull(b.Slowest), orNull(b.Failures), tables.Name(whole+b.Table)))
	if err != nil {
		return b, fmt.Errorf("ask table %s for the time of its items: %s: %w", b.Table, tables.Said(err), service.ErrUnsupported)
	}
	for i, value := range []*float64{&b.items, &b.seconds, &b.slowest, &b.failures} {
		if row.Values[i] != nil {
			*value = number(row.Values[i])
		}
	}
	return b, nil
}

func orNull(expression string) string {
	if expression == "" {
		return "NULL"
	}
	return expression
}

// each is the time of one item; 0 = not known.
func (b batch) each() float64 {
	if b.items > 0 && b.seconds > 0 {
		return b.seconds / b.items
	}
	return 0
}

// noneLost is how many batches may be lost, with 95 %, where none was: the rule of three.
const noneLost = 3

// between is the working time from one lost batch to the next; NaN where nobody knows.
func (b batch) between() float64 {
	switch {
	case b.LostEvery > 0:
		return b.LostEvery.Std().Seconds()
	case b.failures > 0:
		return b.seconds / b.failures
	case b.failures == 0:
		return b.seconds / noneLost
	}
	return math.NaN()
}

// Bounds of a batch.
const (
	byLoss       = "loss"       // what a lost batch costs outweighs what larger ones save
	byTimeout    = "timeout"    // the batch would be ended before its last item
	byCheckpoint = "checkpoint" // smaller ones are never saved
)

// bounds are how many items each allows. What a batch costs per item is its overhead, spread
// over its n items, and what is lost: batches fail once in M, on average in their middle, so
// overhead/n + n·each²/(2M). That is least at n·each = √(2·overhead·M), the checkpoint
// interval of Young (1974); the terms by which Daly (2006) differs are far below the
// uncertainty of M.
func (b batch) bounds() (all []service.Bound) {
	add := func(name string, allows float64) {
		all = append(all, service.Bound{Name: name, Allows: max(1, math.Floor(min(allows, math.MaxInt32)))})
	}
	add(byLoss, math.Sqrt(2*b.Overhead.Std().Seconds()*b.between())/b.each())
	if b.Timeout > 0 {
		add(byTimeout, (b.Timeout-b.Overhead).Std().Seconds()/b.slow())
	}
	return service.Tightest(all)
}

// slow is the time of an item in a batch of the slowest.
func (b batch) slow() float64 {
	if b.slowest > b.each() {
		return b.slowest
	}
	return b.each()
}

// right is the size that the bounds give, and what decided it. A checkpoint that is not
// reached saves nothing: whole checkpoints, one at least, unless the timeout comes before.
func (b batch) right(bounds []service.Bound) (items float64, by string) {
	items, by = bounds[0].Allows, bounds[0].Name
	step := float64(b.Checkpoint)
	switch {
	case b.unreached(bounds):
		return allowed(bounds, byTimeout), byTimeout
	case step == 0 || math.Mod(items, step) == 0:
		return items, by
	case items < step:
		return step, byCheckpoint
	}
	return math.Floor(items/step) * step, by
}

// unreached reports whether the timeout comes before the first checkpoint.
func (b batch) unreached(bounds []service.Bound) bool {
	return allowed(bounds, byTimeout) < float64(b.Checkpoint)
}

// allowed is what one bound allows: any number where it does not hold.
func allowed(bounds []service.Bound, name string) float64 {
	for _, b := range bounds {
		if b.Name == name {
			return b.Allows
		}
	}
	return math.Inf(1)
}

// cost is what a batch of so many items costs beside them, as a share of their time.
func (b batch) cost(items float64) float64 {
	return (b.Overhead.Std().Seconds()/items + items*b.each()*b.each()/(2*b.between())) / b.each()
}

// advice is under the IDs of this kind also for those that are made of it.
func (b batch) advice() service.Advice {
	a := service.Advice{ID: "dataset.batch-size", Severity: service.OK, Inputs: b.inputs(), Args: service.Args{"table": b.Table, "size": b.Size}}
	if b.Size > 0 {
		a.Present = b.Size
	}
	if lacks := b.lacks(); lacks != "" {
		a.ID, a.Severity, a.Args["lacks"] = "dataset.batch-size-unknown", service.Unknown, lacks
		return a
	}
	a.Bounds = b.bounds()
	items, by := b.right(a.Bounds)
	a.Proposed = int(items)
	b.explain(a.Args, items, by)
	if harm := b.harm(a.Bounds); harm != "" {
		a.ID, a.Severity, a.Args["harm"] = "dataset.batch-size-wrong", service.Warning, harm
	}
	return a
}

// explain gives the words their numbers.
func (b batch) explain(args service.Args, items float64, by string) {
	args["bound"], args["each"], args["slow"], args["overhead"] = by, b.each(), b.slow(), b.Overhead.Std().Seconds()
	args["timeout"], args["checkpoint"], args["between"] = b.Timeout.Std().Seconds(), b.Checkpoint, b.between()
	args["cost"], args["now"] = b.cost(items), 0.0
	if b.Size > 0 {
		args["now"], args["lasts"] = b.cost(float64(b.Size)), float64(b.Size)*b.slow()+b.Overhead.Std().Seconds()
	}
}

// harm names what goes wrong with the present size, or with any.
func (b batch) harm(bounds []service.Bound) string {
	switch {
	case b.unreached(bounds):
		return "unreached"
	case float64(b.Size) > allowed(bounds, byTimeout):
		return byTimeout
	case b.Size > 0 && b.Size < b.Checkpoint:
		return byCheckpoint
	}
	return ""
}

// lacks names the first input that is not known.
func (b batch) lacks() string {
	for _, in := range b.inputs() {
		if in.Known == service.NotKnown {
			return in.Name
		}
	}
	return ""
}

func (b batch) inputs() []service.Input {
	all := []service.Input{
		b.eachInput(),
		{Name: "overhead", Value: b.Overhead.Std().Seconds(), Known: declaredIf(b.Overhead > 0), From: "batches.overhead"},
		b.lossInput(),
	}
	if b.slow() > b.each() {
		all = append(all, service.Input{Name: "slowest", Value: b.slowest, Known: service.Measured, From: b.Table})
	}
	if b.Timeout > 0 {
		all = append(all, service.Input{Name: "timeout", Value: b.Timeout.Std().Seconds(), Known: service.Declared, From: "batches.timeout"})
	}
	if b.Checkpoint > 0 {
		all = append(all, service.Input{Name: "checkpoint", Value: b.Checkpoint, Known: service.Declared, From: "batches.checkpoint"})
	}
	for i := range all {
		if all[i].Known == service.NotKnown {
			all[i].Value = nil
		}
	}
	return all
}

// eachInput is the time of one item as it was measured, over all that the table tells of.
func (b batch) eachInput() service.Input {
	in := service.Input{Name: "each", Value: b.each(), Known: service.Measured, From: b.Table, Over: b.seconds}
	if b.each() == 0 {
		in.Known, in.Over = service.NotKnown, 0
	}
	return in
}

func (b batch) lossInput() service.Input {
	in := service.Input{Name: "lost-every", Value: b.between(), Known: service.Declared, From: "batches.lost_every"}
	switch {
	case math.IsNaN(b.between()):
		in.Known = service.NotKnown
	case b.LostEvery == 0:
		in = service.Input{Name: "failures", Value: b.failures, Known: service.Measured, From: b.Table, Over: b.seconds}
	}
	return in
}

func declaredIf(is bool) service.Knowledge {
	if is {
		return service.Declared
	}
	return service.NotKnown
}
