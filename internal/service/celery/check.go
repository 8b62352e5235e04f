package celery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"upkeep/internal/service"
)

// Check asks the workers and the application's tables side by side and judges what
// they say. A broker that cannot be reached is an error: nothing is known then.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	var standing service.Verdict
	var asked sync.WaitGroup
	asked.Go(func() { standing = in.stuck(ctx) })
	r, err := in.ask(ctx)
	asked.Wait()
	v.Merge(standing)
	if err != nil {
		return v, err
	}
	seen, err := in.recall(ctx)
	if err != nil {
		return v, err
	}
	in.judge(&v, r, seen)
	return v, in.remember(ctx, seen)
}

func (in *Instance) judge(v *service.Verdict, r *round, seen *memory) {
	if r.err != nil {
		v.Unsure("queues-unknown", "", service.Args{"broker": in.cfg.Broker, "denied": errors.Is(r.err, service.ErrDenied)})
	}
	facts(v, r)
	if r.blocked {
		v.Crit("broker-blocked", "", service.Args{"broker": in.cfg.Broker})
		return // nobody could be asked, and nobody can answer
	}
	in.present(v, r, seen)
	in.queues(v, r, seen)
	if len(r.sorted()) == 0 {
		return
	}
	in.registered(v, r)
	in.runtimes(v, r)
	settings(v, r)
}

// present judges who is there.
func (in *Instance) present(v *service.Verdict, r *round, seen *memory) {
	here, silent := r.sorted(), r.silent(in.cfg.Control)
	gone := seen.gone(here, silent, in.env.Now())
	slices.Sort(gone)
	for _, w := range here {
		if limit := in.cfg.Timeout.Std(); w.answered > limit {
			v.Warn("worker-late", w.name, service.Args{"worker": w.name, "took": w.answered.Seconds(), "limit": limit.Seconds()})
		}
		if unread := unread(w); len(unread) > 0 {
			v.Unsure("worker-incomplete", w.name, service.Args{"worker": w.name, "what": unread})
		}
	}
	for _, name := range silent {
		v.Crit("worker-silent", name, service.Args{"worker": name, "limit": in.cfg.Timeout.Std().Seconds()})
	}
	have := len(here) + len(silent)
	args := service.Args{"have": have, "wanted": in.cfg.Workers, "gone": gone, "waiting": r.waiting(in.cfg.Queues)}
	switch {
	case have >= in.cfg.Workers:
	case have == 0:
		v.Crit("no-worker", "", args)
	default:
		v.Crit("too-few-workers", "", args)
	}
}

// unread are the questions that a worker did not answer, or not in a form that is
// known.
func unread(w *worker) (missing []string) {
	for method := range methods() {
		if !w.known[method] {
			missing = append(missing, method)
		}
	}
	slices.Sort(missing)
	return missing
}

// registered compares what the application calls with what workers know: a task that
// nobody knows is thrown away by the worker that gets it.
func (in *Instance) registered(v *service.Verdict, r *round) {
	known, whole := map[string]bool{}, len(r.silent(in.cfg.Control)) == 0
	for _, w := range r.sorted() {
		whole = whole && w.known["registered"]
		for _, t := range w.registered {
			known[t.name] = true
		}
	}
	for _, name := range in.cfg.Tasks {
		switch {
		case known[name]:
		case whole:
			v.Crit("task-unregistered", name, service.Args{"task": name})
		default:
			v.Unsure("task-unknown", name, service.Args{"task": name})
		}
	}
}

// runtimes judges what the workers are at. A pool that does not enforce its limit,
// such as solo, lets a task run on.
func (in *Instance) runtimes(v *service.Verdict, r *round) {
	const slack = 30 // seconds that killing a task and a clock may be off
	now := float64(in.env.Now().UnixMilli()) / 1000
	for _, w := range r.sorted() {
		own := map[string]float64{}
		for _, t := range w.registered {
			own[t.name] = t.limit
		}
		for _, task := range w.active {
			if task.Start == nil {
				continue // handed to the pool, not begun
			}
			ran, limit := now-*task.Start, own[task.Name]
			if limit == 0 {
				limit = w.stats.hard()
			}
			args := service.Args{"task": task.Name, "id": task.ID, "worker": w.name, "ran": ran, "limit": limit}
			switch longest := in.cfg.MaxRuntime.Std().Seconds(); {
			case limit > 0 && ran > limit+slack:
				v.Crit("task-overdue", task.ID, args)
			case longest > 0 && ran > longest:
				args["limit"] = longest
				v.Warn("task-long", task.ID, args)
			}
		}
	}
}

// facts are what is worth keeping of a look.
func facts(v *service.Verdict, r *round) {
	type fact struct {
		Name      string   `json:"name"`
		Pool      int      `json:"pool"`
		Prefetch  int      `json:"prefetch"`
		Processed int64    `json:"processed"`
		Active    int      `json:"active"`
		Reserved  int      `json:"reserved"`
		Scheduled int      `json:"scheduled"`
		Queues    []string `json:"queues"`
		Seconds   float64  `json:"answered_seconds"`
	}
	all := []fact{}
	for _, w := range r.sorted() {
		f := fact{Name: w.name, Pool: w.stats.Pool.Concurrency, Prefetch: w.stats.Prefetch, Processed: w.stats.processed(),
			Active: len(w.active), Reserved: w.reserved, Scheduled: w.scheduled, Queues: []string{}, Seconds: w.answered.Seconds()}
		for _, q := range w.consumes {
			f.Queues = append(f.Queues, q.Name)
		}
		all = append(all, f)
	}
	v.Set("workers", all)
}

// stuck asks the declared targets for work that stands still.
func (in *Instance) stuck(ctx context.Context) service.Verdict {
	found := make([]service.Verdict, len(in.cfg.Stuck))
	var all sync.WaitGroup
	for i, s := range in.cfg.Stuck {
		all.Go(func() { in.standing(ctx, &found[i], s) })
	}
	all.Wait()
	var v service.Verdict
	for _, one := range found {
		v.Merge(one)
	}
	return v
}

func (in *Instance) standing(ctx context.Context, v *service.Verdict, s Stuck) {
	name := s.Name
	if name == "" {
		name = s.Target
	}
	ctx, cancel := context.WithTimeout(ctx, in.wait(ctx))
	defer cancel()
	rows, examples, err := in.rows(ctx, s)
	switch {
	case err != nil:
		v.Unsure("work-unknown", name, service.Args{"name": name, "peer": s.Target})
	case rows > 0:
		v.Crit("work-stuck", name, service.Args{"name": name, "peer": s.Target, "rows": rows, "more": rows == mostRows, "examples": examples})
	}
}

// mostRows is how many rows of a statement are counted, shown how many are named.
const mostRows, shown = 1000, 5

func (in *Instance) rows(ctx context.Context, s Stuck) (n int, examples []string, err error) {
	peer, err := in.env.Peer(s.Target)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	queryer, err := service.As[service.Queryer](peer)
	if err != nil {
		return 0, nil, err
	}
	for row, err := range queryer.Query(ctx, s.Query) {
		if err != nil {
			return n, examples, err
		}
		if n++; n <= shown && len(row.Values) > 0 {
			examples = append(examples, fmt.Sprint(row.Values[0]))
		}
		if n == mostRows {
			break
		}
	}
	return n, examples, nil
}
