package rabbitmq

import (
	"context"

	"upkeep/internal/service"
)

// told is how many queues the facts list.
const told = 100

// fact is one queue as the facts show it.
type fact struct {
	Name      string  `json:"name"`
	Messages  int64   `json:"messages"`
	Unacked   int64   `json:"unacked"`
	Consumers int64   `json:"consumers"`
	Waiting   float64 `json:"waiting_seconds"` // at least
}

// backlog judges the queues and remembers what waits.
func (in *Instance) backlog(ctx context.Context, v *service.Verdict, seen view) error {
	waits, err := in.recall(ctx, seen)
	if err != nil {
		return err
	}
	list, messages := []fact{}, int64(0)
	for _, q := range seen.queues {
		if q.transient {
			continue
		}
		waited := waits.judge(q, in.env.Now())
		in.queue(v, q, waited.Seconds())
		messages += q.messages().value
		if len(list) < told && q.ready.known {
			list = append(list, fact{q.name, q.ready.value + q.unacked.value, q.unacked.value, q.consumers.value, waited.Seconds()})
		}
	}
	v.Set("queues", list)
	if seen.queued == nil {
		v.Set("messages", messages)
	}
	return in.remember(ctx, waits, seen)
}

// queue judges one queue. What it lacks is told before how much it holds.
func (in *Instance) queue(v *service.Verdict, q queue, waited float64) {
	want := in.cfg.of(q.name)
	args := service.Args{"queue": q.name, "ready": q.ready.value, "unacked": q.unacked.value,
		"consumers": q.consumers.value, "waited": waited}
	switch {
	case q.missing:
		v.Crit("queue-missing", q.name, service.Args{"queue": q.name})
		return
	case !q.ready.known || !q.consumers.known:
		v.Unsure("queue-unmeasured", q.name, service.Args{"queue": q.name})
		return
	}
	consumed(v, q, want, args)
	most := want.MaxMessages
	if n := q.ready.value + q.unacked.value; most > 0 && n > most {
		v.Warn("queue-deep", q.name, with(args, "limit", most, "messages", n))
	}
	if limit := want.MaxWait.Std().Seconds(); limit > 0 && waited > limit {
		v.Warn("queue-waits", q.name, with(args, "limit", limit))
	}
	if most := in.cfg.MaxUnacked; most > 0 && q.unacked.value > most {
		v.Warn("unacked-high", q.name, with(args, "limit", most))
	}
}

// consumed: messages that nobody takes are the worst that a queue can show, because
// everything else looks healthy.
func consumed(v *service.Verdict, q queue, want Queue, args service.Args) {
	needed := int64(0)
	if want.Consumers != nil {
		needed = *want.Consumers
	}
	switch {
	case q.consumers.value == 0 && q.ready.value > 0 && (want.Consumers == nil || needed > 0):
		v.Crit("queue-unconsumed", q.name, args)
	case q.consumers.value == 0 && needed > 0:
		v.Crit("too-few-consumers", q.name, with(args, "wanted", needed))
	case q.consumers.value < needed:
		v.Warn("too-few-consumers", q.name, with(args, "wanted", needed))
	}
}

// with returns args and more of them, as name and value.
func with(args service.Args, more ...any) service.Args {
	all := service.Args{}
	for name, value := range args {
		all[name] = value
	}
	for i := 0; i+1 < len(more); i += 2 {
		all[more[i].(string)] = more[i+1]
	}
	return all
}
