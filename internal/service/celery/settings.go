package celery

import (
	"maps"
	"slices"

	"upkeep/internal/service"
)

// long is from how many seconds on a task is long: others should not wait behind it
// in one worker while another worker is free.
const long = 60

// judged is one opinion about settings and the workers that have them.
type judged struct {
	args    service.Args
	workers []string
}

// settings judges what the live workers run with, one finding for all workers that
// share it.
func settings(v *service.Verdict, r *round) {
	found := map[string]*judged{}
	for _, w := range r.sorted() {
		for slug, args := range opinions(w) {
			if found[slug] == nil {
				found[slug] = &judged{args: args}
			}
			found[slug].workers = append(found[slug].workers, w.name)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(found)) {
		j := found[slug]
		j.args["workers"] = j.workers
		warn(v, slug, j.args)
	}
}

// warn names each slug, so that the test that reads the source finds its words.
func warn(v *service.Verdict, slug string, args service.Args) {
	switch slug {
	case "acks-early":
		v.Warn("acks-early", "", args)
	case "no-time-limit":
		v.Warn("no-time-limit", "", args)
	case "prefetch-high":
		v.Warn("prefetch-high", "", args)
	case "priority-ignored":
		v.Warn("priority-ignored", "", args)
	case "results-kept":
		v.Warn("results-kept", "", args)
	}
}

// opinions judges one worker by what it answered; what it did not answer is told
// elsewhere.
func opinions(w *worker) map[string]service.Args {
	found := map[string]service.Args{}
	if w.known["registered"] && w.known["stats"] {
		limits(w, found)
	}
	if w.known["conf"] && w.known["stats"] && w.known["active"] {
		prefetch(w, found)
	}
	if w.known["conf"] && w.known["active_queues"] && w.known["registered"] {
		priorities(w, found)
	}
	if w.known["conf"] && w.conf.Backend != nil && !w.conf.IgnoreResult && never(w.conf.Expires) {
		found["results-kept"] = service.Args{}
	}
	return found
}

// limits: without a hard limit one hanging task holds a process for ever; confirmed
// before it runs, a task is lost with its worker.
func limits(w *worker, found map[string]service.Args) {
	var early, endless []string
	for _, t := range w.registered {
		if !t.late {
			early = append(early, t.name)
		}
		if t.limit == 0 && w.stats.hard() == 0 {
			endless = append(endless, t.name)
		}
	}
	if len(early) > 0 {
		found["acks-early"] = service.Args{"tasks": early}
	}
	if len(endless) > 0 {
		found["no-time-limit"] = service.Args{"tasks": endless}
	}
}

// prefetch: a worker that fetches ahead keeps tasks from others that are free. It
// costs something only when tasks are long: by their limit, or seen running.
func prefetch(w *worker, found map[string]service.Args) {
	hard := w.stats.hard()
	if w.conf.Multiplier == 1 || hard > 0 && hard < long {
		return
	}
	found["prefetch-high"] = service.Args{"multiplier": w.conf.Multiplier, "prefetch": w.stats.Prefetch,
		"processes": w.stats.Pool.Concurrency, "reserved": w.reserved, "limit": hard}
}

// priorities: RabbitMQ ignores the priority of messages in a queue that was not made
// for it.
func priorities(w *worker, found map[string]service.Args) {
	set := w.conf.Priority != nil
	for _, t := range w.registered {
		set = set || t.priority
	}
	var plain []string
	for _, q := range w.consumes {
		if !q.prioritized() {
			plain = append(plain, q.Name)
		}
	}
	if set && len(plain) > 0 {
		found["priority-ignored"] = service.Args{"queues": plain}
	}
}

// never reports whether results stay for ever: no time, or none left of it.
func never(expires any) bool {
	seconds, isNumber := expires.(float64)
	return expires == nil || isNumber && seconds <= 0
}
