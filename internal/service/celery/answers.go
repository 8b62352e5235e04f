package celery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// methods are what every worker is asked in one round, and with which arguments.
// "safe" keeps the arguments of tasks short; they are not read anyway.
func methods() map[string]map[string]any {
	return map[string]map[string]any{
		"ping": {}, "active": {"safe": true}, "reserved": {}, "scheduled": {}, "active_queues": {}, "stats": {},
		"registered": {"taskinfoitems": []string{"acks_late", "time_limit", "priority"}},
		"conf":       {"with_defaults": true},
	}
}

// worker is what one worker said.
type worker struct {
	name       string
	answered   time.Duration // until the pong
	ponged     bool
	known      map[string]bool // methods that were answered and understood
	active     []running
	reserved   int
	scheduled  int
	consumes   []consumed
	stats      stats
	registered []task
	conf       conf
}

// complete reports whether every question was answered.
func (w *worker) complete() bool { return w.ponged && len(w.known) == len(methods()) }

// running is one task that a worker works on.
type running struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Start *float64 `json:"time_start"` // seconds since 1970 by the worker's clock
}

// consumed is one queue that a worker consumes.
type consumed struct {
	Name        string         `json:"name"`
	MaxPriority *int           `json:"max_priority"`
	Arguments   map[string]any `json:"queue_arguments"`
}

// prioritized reports whether messages of the queue are ordered by priority.
func (q consumed) prioritized() bool {
	_, has := q.Arguments["x-max-priority"]
	return has || q.MaxPriority != nil && *q.MaxPriority > 0
}

type stats struct {
	Total  map[string]int64 `json:"total"` // tasks accepted since its start, by name
	Uptime int64            `json:"uptime"`
	Pool   struct {
		Implementation string            `json:"implementation"`
		Concurrency    int               `json:"max-concurrency"`
		Timeouts       []float64         `json:"timeouts"` // soft and hard; 0 = none
		Processes      []json.RawMessage `json:"processes"`
	} `json:"pool"`
	Prefetch int `json:"prefetch_count"`
}

// processed is how many tasks it has accepted.
func (s stats) processed() (n int64) {
	for _, count := range s.Total {
		n += count
	}
	return n
}

// hard is the time limit of the pool in seconds; 0 = none.
func (s stats) hard() float64 {
	if len(s.Pool.Timeouts) < 2 {
		return 0
	}
	return s.Pool.Timeouts[1]
}

// conf is what is read of a worker's settings, which hold much that is nobody's
// business.
type conf struct {
	Routes       json.RawMessage `json:"task_routes"`
	DefaultQueue string          `json:"task_default_queue"`
	Multiplier   int             `json:"worker_prefetch_multiplier"` // 0 = no limit
	Priority     *int            `json:"task_default_priority"`
	Backend      any             `json:"result_backend"`
	IgnoreResult bool            `json:"task_ignore_result"`
	Expires      any             `json:"result_expires"`
}

// task is one registered task with the settings that are its own.
type task struct {
	name     string
	late     bool    // acknowledged after it ran
	limit    float64 // seconds; 0 = that of the pool
	priority bool
}

// parseTask reads "app.work [acks_late=True time_limit=60]".
func parseTask(line string) task {
	name, rest, _ := strings.Cut(line, " [")
	t := task{name: name}
	for field := range strings.FieldsSeq(strings.TrimSuffix(rest, "]")) {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "acks_late":
			t.late = value == "True"
		case "time_limit":
			t.limit, _ = strconv.ParseFloat(value, 64) // not a number: as good as none
		case "priority":
			t.priority = true
		}
	}
	return t
}

// take reads one answer. An older worker that does not know a method answers with an
// error, which is not what the method promises: the method then stays unknown.
func (w *worker) take(method string, body json.RawMessage) error {
	var into any
	switch method {
	case "ping":
		var pong struct{ OK string }
		err := json.Unmarshal(body, &pong)
		w.ponged = err == nil && pong.OK == "pong"
		return err
	case "reserved", "scheduled":
		var list []json.RawMessage
		err := json.Unmarshal(body, &list)
		if method == "reserved" {
			w.reserved = len(list)
		} else {
			w.scheduled = len(list)
		}
		return err
	case "registered":
		var lines []string
		err := json.Unmarshal(body, &lines)
		for _, line := range lines {
			w.registered = append(w.registered, parseTask(line))
		}
		return err
	case "active":
		into = &w.active
	case "active_queues":
		into = &w.consumes
	case "stats":
		into = &w.stats
	case "conf":
		into = &w.conf
	default:
		return fmt.Errorf("an answer to %q, which was not asked", method)
	}
	return json.Unmarshal(body, into)
}

// finite replaces NaN and Infinity by null: Python writes them, and JSON has none.
func finite(text []byte) []byte {
	if !bytes.Contains(text, []byte("Infinity")) && !bytes.Contains(text, []byte("NaN")) {
		return text
	}
	var out bytes.Buffer
	for inside, escaped := false, false; len(text) > 0; {
		if word := unsayable(text); word > 0 && !inside {
			out.WriteString("null")
			text = text[word:]
			continue
		}
		c := text[0]
		inside = inside != (c == '"' && !escaped)
		escaped = c == '\\' && !escaped
		out.WriteByte(c)
		text = text[1:]
	}
	return out.Bytes()
}

// unsayable is the length of a number at the beginning that JSON does not have.
func unsayable(text []byte) int {
	for _, word := range []string{"-Infinity", "Infinity", "NaN"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return len(word)
		}
	}
	return 0
}
