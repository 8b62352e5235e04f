package celery

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// wanted is a queue that the application sends to.
type wanted struct {
	declared bool
	routed   string // a task that is routed to it; empty = none
	standard bool   // where tasks without a route go
}

// queues judges every queue that the application sends to from both sides: what the
// broker holds, and who consumes it. A worker alone cannot tell: its list of running
// tasks looks healthy while another queue fills.
func (in *Instance) queues(v *service.Verdict, r *round, seen *memory) {
	at := map[string]service.Queue{}
	for _, q := range r.queues {
		at[q.Name] = q
	}
	all, sure := in.wanted(r)
	if !sure {
		v.Unsure("routes-unread", "", nil)
	}
	by := r.consumers()
	list := []queueFact{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		q, exists := at[name]
		f := queueFact{Name: name, Messages: q.Messages, Unacked: q.Unacked, Consumers: q.Consumers, Workers: by[name]}
		if len(by[name]) == 0 && (q.Consumers == 0 || !exists) {
			f.Waiting = in.unconsumed(v, r, seen, name, all[name], q)
		} else {
			delete(seen.Waiting, name)
			f.Waiting = q.Waiting.Seconds()
		}
		if limit := in.cfg.MaxWait.Std().Seconds(); limit > 0 && f.Waiting > limit {
			v.Warn("queue-waits", name, service.Args{"queue": name, "waited": f.Waiting, "limit": limit, "workers": len(by[name])})
		}
		if limit := in.cfg.MaxMessages; limit > 0 && q.Messages > limit {
			v.Warn("queue-deep", name, service.Args{"queue": name, "messages": q.Messages, "limit": limit, "workers": len(by[name])})
		}
		list = append(list, f)
	}
	if r.err == nil {
		v.Set("queues", list)
	}
}

// queueFact is one queue as the facts show it.
type queueFact struct {
	Name      string   `json:"name"`
	Messages  int64    `json:"messages"`
	Unacked   int64    `json:"unacked"`
	Consumers int64    `json:"consumers"`       // as the broker counts
	Workers   []string `json:"workers"`         // that say they consume it
	Waiting   float64  `json:"waiting_seconds"` // at least
}

// unconsumed judges a queue that no worker consumes and returns how long a message
// waits in it at least. With no worker at all, or with silent ones whose queues
// nobody knows, those are what is wrong.
func (in *Instance) unconsumed(v *service.Verdict, r *round, seen *memory, name string, w wanted, q service.Queue) float64 {
	waited := 0.0
	if r.err == nil && q.Messages > 0 {
		waited = max(seen.waited(q, in.env.Now()), q.Waiting).Seconds()
	} else {
		delete(seen.Waiting, name)
	}
	args := service.Args{"queue": name, "messages": q.Messages, "waited": waited, "task": w.routed}
	switch {
	case len(r.sorted()) == 0 || r.err != nil && len(r.silent(in.cfg.Control)) > 0:
	case q.Messages > 0 || w.declared:
		v.Crit("queue-unconsumed", name, args)
	case w.routed != "":
		v.Warn("queue-unconsumed", name, args)
	}
	return waited
}

// wanted are the queues of the declaration and of the workers' routes. sure is false
// when a route is a function or a pattern that cannot be read from outside.
func (in *Instance) wanted(r *round) (all map[string]wanted, sure bool) {
	all, sure = map[string]wanted{}, true
	for _, name := range in.cfg.Queues {
		all[name] = wanted{declared: true}
	}
	for _, w := range r.sorted() {
		if name := w.conf.DefaultQueue; name != "" {
			q := all[name]
			q.standard = true
			all[name] = q
		}
		routes, whole := parseRoutes(w.conf.Routes)
		sure = sure && whole
		for task, name := range routes {
			q := all[name]
			if q.routed == "" || task < q.routed {
				q.routed = task
			}
			all[name] = q
		}
	}
	return all, sure
}

// parseRoutes reads task_routes: a mapping of tasks to options or queue names, pairs,
// or a list of these.
func parseRoutes(text json.RawMessage) (queues map[string]string, whole bool) {
	queues = map[string]string{}
	var routes any
	if len(text) > 0 && json.Unmarshal(text, &routes) != nil {
		return queues, false
	}
	whole = addRoutes(queues, routes)
	return queues, whole
}

func addRoutes(queues map[string]string, routes any) bool {
	whole := true
	switch r := routes.(type) {
	case nil:
	case map[string]any:
		for task, target := range r {
			if queue := queueOf(target); queue != "" {
				queues[task] = queue
			}
		}
	case []any:
		if task, isPair := pair(r); isPair {
			if queue := queueOf(r[1]); queue != "" {
				queues[task] = queue
			}
			return true
		}
		for _, one := range r {
			whole = addRoutes(queues, one) && whole
		}
	default: // the name of a function
		return false
	}
	return whole
}

// pair reports whether a list is one route: a task and where it goes. A list of two
// routers looks alike, but the second is a mapping of tasks then.
func pair(list []any) (task string, is bool) {
	if len(list) != 2 {
		return "", false
	}
	task, isName := list[0].(string)
	switch target := list[1].(type) {
	case string:
		return task, isName
	case map[string]any:
		for _, option := range []string{"queue", "exchange", "routing_key"} {
			if _, has := target[option]; has {
				return task, isName
			}
		}
	}
	return "", false
}

// queueOf reads "ocr" and {"queue": "ocr"}; a route by exchange and key alone names no
// queue.
func queueOf(target any) string {
	switch t := target.(type) {
	case string:
		return t
	case map[string]any:
		switch q := t["queue"].(type) {
		case string:
			return q
		case map[string]any:
			name, _ := q["name"].(string)
			return name
		}
	}
	return ""
}

// consumers are the workers that say they consume a queue, by queue.
func (r *round) consumers() map[string][]string {
	by := map[string][]string{}
	for _, w := range r.sorted() {
		for _, q := range w.consumes {
			by[q.Name] = append(by[q.Name], w.name)
		}
	}
	return by
}

// waiting is how many messages of these queues nobody has taken; of all that are no
// control channels where none are declared.
func (r *round) waiting(names []string) (n int64) {
	for _, q := range r.queues {
		if slices.Contains(names, q.Name) || len(names) == 0 && !q.Transient && !strings.HasSuffix(q.Name, ".pidbox") {
			n += q.Messages - q.Unacked
		}
	}
	return n
}
