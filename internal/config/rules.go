package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/internal/nearest"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// required reports keys that have no value, in the order given.
func (r *reader) required(path string, missing map[string]bool) {
	for _, key := range slices.Sorted(maps.Keys(missing)) {
		if missing[key] && !touches(r.problems, path+"."+key) {
			r.addf(path+"."+key, "must be given")
		}
	}
}

// oneOf reports a word that is not among those allowed.
func (r *reader) oneOf(path, word string, allowed ...string) {
	if !slices.Contains(allowed, word) {
		r.addf(path, "must be one of %s, is %q", strings.Join(allowed, ", "), word)
	}
}

func (r *reader) keep() {
	k := r.config.Keep
	if k == nil {
		return
	}
	for key, n := range map[string]int{"last": k.Last, "hourly": k.Hourly, "daily": k.Daily, "weekly": k.Weekly,
		"monthly": k.Monthly, "yearly": k.Yearly, "never_below_proven": k.NeverBelowProven} {
		if n < 0 {
			r.addf("keep."+key, "must not be negative, is %d", n)
		}
	}
	if k.Last+k.Hourly+k.Daily+k.Weekly+k.Monthly+k.Yearly == 0 && !touches(r.problems, "keep") {
		r.addf("keep", "keeps nothing: give last, daily or another count, or leave keep: out to keep everything")
	}
}

func (r *reader) reconcile() {
	names := map[string]bool{}
	for i, rule := range r.config.Reconcile {
		path := item("reconcile", i)
		r.required(path, map[string]bool{"name": rule.Name == "", "rows": rule.Rows == Asked{}})
		if rule.Name != "" && names[rule.Name] {
			r.addf(path+".name", "another rule is called %q", rule.Name)
		}
		names[rule.Name] = true
		r.oneOf(path+".severity", string(rule.Severity), string(service.Warning), string(service.Critical))
		if (rule.Objects == Held{}) == (rule.Nodes == Asked{}) {
			r.addf(path, "must say what rows claim: either objects or nodes")
		}
		r.asked(path+".rows", rule.Rows)
		r.asked(path+".nodes", rule.Nodes)
		r.held(path+".objects", rule.Objects)
	}
}

func (r *reader) asked(path string, a Asked) {
	if (a == Asked{}) {
		return
	}
	r.required(path, map[string]bool{"target": a.Target == "", "query": a.Query == ""})
	if a.Target != "" {
		r.target(path+".target", a.Target)
		r.answers(path+".target", a.Target)
	}
}

func (r *reader) held(path string, h Held) {
	if (h == Held{}) {
		return
	}
	r.required(path, map[string]bool{"target": h.Target == "", "key": h.Key == ""})
	if h.Target != "" {
		r.target(path+".target", h.Target)
		r.offers(path+".target", h.Target, "list", "the kind %s holds nothing that can be listed")
	}
}

func (r *reader) assertions() {
	names := map[string]bool{}
	for i, a := range r.config.Assertions {
		path := item("assertions", i)
		r.required(path, map[string]bool{"name": a.Name == "", "target": a.Target == "", "query": a.Query == "", "expect": a.Expect.IsZero()})
		if a.Name != "" && names[a.Name] {
			r.addf(path+".name", "another assertion is called %q", a.Name)
		}
		names[a.Name] = true
		r.oneOf(path+".severity", string(a.Severity), string(service.Warning), string(service.Critical))
		for j, phase := range a.In {
			r.oneOf(item(path+".in", j), phase, "check", "drill", "restore")
		}
		if a.Target != "" {
			r.target(path+".target", a.Target)
			r.answers(path+".target", a.Target)
		}
	}
}

// answers reports a service whose kind cannot be asked.
func (r *reader) answers(path, name string) {
	r.offers(path, name, "query", "the kind %s answers no queries")
}

func (r *reader) offers(path, name, capability, otherwise string) {
	for _, s := range r.config.Services {
		if s.Name == name && !s.Kind.Offers(capability) {
			r.addf(path, otherwise, s.Kind.Name())
		}
	}
}

func (r *reader) accept() {
	for i, a := range r.config.Accept {
		path := item("accept", i)
		r.required(path, map[string]bool{"finding": a.What() == "", "until": a.Until.IsZero(), "why": strings.TrimSpace(a.Why) == ""})
		if a.Finding != "" && a.Log != "" {
			r.addf(path, "must name either a finding or a form of log messages")
		}
		if a.Log != "" && a.Target != "" {
			r.offers(path+".target", a.Target, "logs", "the kind %s has no logs")
		}
		if a.Finding != "" && !isSlug(a.Finding) {
			r.addf(path+".finding", "must be KIND.slug as check --json shows it, is %q", a.Finding)
		}
		if a.Target != "" {
			r.target(path+".target", a.Target)
		}
	}
}

// verbs are what a job may do without a person.
func verbs() []string {
	return []string{"check", "backup", "verify", "diagnose", "drill", "logs", "maintain", "merge", "dedup", "convert", "repair", "reconcile", "tune", "report", "tidy", "window"}
}

func (r *reader) jobs() {
	for _, name := range slices.Sorted(maps.Keys(r.config.Jobs)) {
		job, path := r.config.Jobs[name], "jobs."+name
		job.Line = r.places[path].Line
		r.config.Jobs[name] = job
		r.name(path, name)
		r.required(path, map[string]bool{"do": len(job.Do) == 0})
		r.oneOf(path+".missed", job.Missed, "once", "all", "none")
		for i, verb := range job.Do {
			r.verb(item(path+".do", i), verb)
		}
		for i, id := range job.Approve {
			if !isSlug(id) {
				r.addf(item(path+".approve", i), "must be KIND.step, is %q", id)
			}
		}
		r.stops(path, job)
	}
}

// stops reports a job that would stop a service and has not approved that.
func (r *reader) stops(path string, job Job) {
	if !slices.ContainsFunc(job.Do, func(line string) bool { return slices.Equal(strings.Fields(line), []string{"backup"}) }) {
		return
	}
	for _, s := range r.config.Services {
		if id := s.Stops().Approval; id != "" && !slices.Contains(job.Approve, id) {
			r.addf(path, "its backup stops %q, which a job may only do when it says so: approve: [%s]", s.Name, id)
		}
	}
}

// queues judges the queues, and what jobs say of them.
func (r *reader) queues() {
	for _, name := range slices.Sorted(maps.Keys(r.config.Queues)) {
		q, path := r.config.Queues[name], "queues."+name
		r.name(path, name)
		if q.Concurrency < 1 && !touches(r.problems, path) {
			r.addf(path+".concurrency", "must be at least 1, is %d", q.Concurrency)
		}
	}
	known := slices.Collect(maps.Keys(r.config.Queues))
	for _, name := range slices.Sorted(maps.Keys(r.config.Jobs)) {
		job, path := r.config.Jobs[name], "jobs."+name
		switch {
		case job.Queue == "" && job.Priority != 0:
			r.addf(path+".priority", "counts only among jobs of one queue: give queue too")
		case job.Queue != "" && !slices.Contains(known, job.Queue):
			r.addf(path+".queue", "there is no queue %q under queues:; there are: %s", job.Queue, list(known))
		}
	}
}

// verb reports an entry of do: that names no verb, or a flag that it does not
// take.
func (r *reader) verb(path, line string) {
	words := strings.Fields(line)
	if len(words) == 0 {
		r.addf(path, "has no value")
		return
	}
	if !slices.Contains(verbs(), words[0]) {
		if word := nearest.Word(words[0], verbs()); word != "" {
			r.addf(path, "unknown verb %q; did you mean %q?", words[0], word)
			return
		}
		r.addf(path, "%q is no verb for a job of this version; there are: %s", words[0], list(verbs()))
		return
	}
	r.verbFlags(path, words[0], words[1:])
}

// formats are those that a job can write a report in.
func formats() []string { return []string{"html", "md", "pdf", "xlsx", "json"} }

// windowWords judges "window open NAME 2h" and "window close NAME".
func (r *reader) windowWords(path string, words []string) {
	switch {
	case len(words) == 3 && words[0] == "open":
		if d, err := quantity.ParseDuration(words[2]); err != nil || d == 0 {
			r.addf(path, "must be a duration such as 90s, 5m, 2h or 30d, is %q", words[2])
		}
	case len(words) != 2 || words[0] != "close":
		r.addf(path, "must be window open NAME 2h or window close NAME")
	}
}

// verbFlags reports flags that a verb does not take in a job.
func (r *reader) verbFlags(path, verb string, flags []string) {
	if verb == "window" {
		r.windowWords(path, flags)
		return
	}
	for i := 0; i < len(flags); i++ {
		switch flag := flags[i]; {
		case verb == "report" && slices.Contains([]string{"--day", "--week", "--month"}, flag):
		case verb == "report" && flag == "--format" && i+1 < len(flags):
			i++
			for _, format := range strings.Split(flags[i], ",") {
				r.oneOf(path, format, formats()...)
			}
		case verb == "verify" && flag == "--sample" && i+1 < len(flags):
			i++
			if share, err := quantity.ParseShare(flags[i]); err != nil || share == 0 {
				r.addf(path, "must be a share such as 80%% or 0.8, is %q", flags[i])
			}
		case slices.ContainsFunc(r.config.Services, func(s Service) bool { return s.Name == flag }):
			r.addf(path, "%s does not take %q in a job: a job is about all services", verb, flag)
		default:
			r.addf(path, "%s does not take %q in a job", verb, flag)
		}
	}
}
