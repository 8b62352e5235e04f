package config

import (
	"maps"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/quantity"
)

// serve judges what upkeep serve goes by.
func (r *reader) serve() {
	r.listen()
	r.timezone()
	r.monitor()
	r.notify()
	r.turns()
	r.windows()
	r.pings()
	r.checklists()
}

// timezone puts every time of day into the declared zone.
func (r *reader) timezone() {
	c := r.config
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		r.addf("timezone", "must be a time zone such as Asia/Shanghai, is %q", c.TimeZone)
	}
	if c.TimeZone == "" || err != nil {
		return
	}
	for name, job := range c.Jobs {
		job.At = job.At.In(zone)
		c.Jobs[name] = job
	}
	for name, w := range c.Windows {
		w.At = w.At.In(zone)
		c.Windows[name] = w
	}
	for name, p := range c.Pings {
		p.At = p.At.In(zone)
		c.Pings[name] = p
	}
}

// listen accepts this machine only: who may see and do what is not told apart yet.
func (r *reader) listen() {
	host, port, err := net.SplitHostPort(r.config.Listen)
	n, wrong := strconv.ParseUint(port, 10, 16)
	switch {
	case touches(r.problems, "listen"):
	case err != nil || wrong != nil || n == 0:
		r.addf("listen", "must be HOST:PORT such as 127.0.0.1:9470, is %q", r.config.Listen)
	case !loopback(host):
		r.addf("listen", "must be an address of this machine alone, such as 127.0.0.1:%s: the page has no users yet, so whoever reaches it sees everything", port)
	}
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

func (r *reader) monitor() {
	m := &r.config.Monitor
	m.Scrape, m.Alertmanager = r.config.Resolve(m.Scrape), r.config.Resolve(m.Alertmanager)
	for i := range m.Rules {
		m.Rules[i] = r.config.Resolve(m.Rules[i])
	}
	r.atLeast("monitor.every", m.Every, quantity.Duration(time.Second))
	r.atLeast("monitor.check", m.Check, quantity.Duration(10*time.Second))
	r.atLeast("monitor.keep", m.Keep, quantity.Duration(time.Hour))
	names := map[string]bool{}
	for i, a := range m.Anomalies {
		path := item("monitor.anomalies", i)
		r.required(path, map[string]bool{"name": a.Name == "", "expr": a.Expr == ""})
		if a.Name != "" && names[a.Name] {
			r.addf(path+".name", "another one is called %q", a.Name)
		}
		names[a.Name] = true
		if a.FalseAlarms <= 0 && !touches(r.problems, path) {
			r.addf(path+".false_alarms", "must be more than none: 1/w")
		}
	}
}

// atLeast reports a time that is too short to be meant.
func (r *reader) atLeast(path string, is, least quantity.Duration) {
	if is < least && !touches(r.problems, path) {
		r.addf(path, "must be at least %s, is %s", least, is)
	}
}

func (r *reader) notify() {
	e := r.config.Notify.Email
	if e == nil {
		return
	}
	const path = "notify.email"
	r.required(path, map[string]bool{"to": len(e.To) == 0, "smtp": e.SMTP == ""})
	r.oneOf(path+".tls", e.TLS, "required", "offered", "none")
	for i, to := range e.To {
		r.address(item(path+".to", i), to)
	}
	if e.From != "" {
		r.address(path+".from", e.From)
	}
	if server, err := url.Parse(e.SMTP); e.SMTP != "" && (err != nil || server.Scheme != "smtp" && server.Scheme != "smtps" || server.Hostname() == "" || server.User != nil) {
		r.addf(path+".smtp", "must be smtp://HOST:PORT or smtps://HOST:PORT, with user and password in keys of their own")
	}
	if (e.User == "") != e.Password.IsZero() && !touches(r.problems, path+".password") {
		r.addf(path+".password", "user and password go together")
	}
	for i, span := range e.Reports {
		r.oneOf(item(path+".reports", i), span, "day", "week", "month")
	}
}

func (r *reader) address(path, text string) {
	if _, err := mail.ParseAddress(text); err != nil {
		r.addf(path, "must be an address such as ops@example.org, is %q", text)
	}
}

// turns judges what jobs say of when they run.
func (r *reader) turns() {
	waits := map[string][]string{}
	for name, job := range r.config.Jobs {
		waits[name] = job.After
	}
	names := slices.Sorted(maps.Keys(r.config.Jobs))
	for _, name := range names {
		job, path := r.config.Jobs[name], "jobs."+name
		for i, other := range job.After {
			if _, known := waits[other]; !known {
				r.addf(item(path+".after", i), "there is no job %q; there are: %s", other, list(names))
			}
		}
		if cycle := cycleFrom(name, waits); cycle != nil && firstOf(names, cycle) == name {
			r.addf(path+".after", "waits for itself: %s", strings.Join(cycle, " → "))
		}
		if job.Retry.Times < 0 || job.Retry.Times > 100 {
			r.addf(path+".retry.times", "must be from 0 to 100, is %d", job.Retry.Times)
		}
		if job.Jitter > 0 && job.At.IsZero() {
			r.addf(path+".jitter", "counts only with at")
		}
	}
}

func (r *reader) windows() {
	for _, name := range slices.Sorted(maps.Keys(r.config.Windows)) {
		w, path := r.config.Windows[name], "windows."+name
		r.name(path, name)
		r.required(path, map[string]bool{"at": w.At.IsZero(), "for": w.For == 0})
		for i, name := range w.Targets {
			r.target(item(path+".targets", i), name)
		}
	}
}

func (r *reader) pings() {
	for _, name := range slices.Sorted(maps.Keys(r.config.Pings)) {
		p, path := r.config.Pings[name], "pings."+name
		r.name(path, name)
		r.required(path, map[string]bool{"at": p.At.IsZero(), "key": p.Key.IsZero()})
	}
}

func (r *reader) checklists() {
	for _, name := range slices.Sorted(maps.Keys(r.config.Checklists)) {
		list, path := r.config.Checklists[name], "checklists."+name
		r.name(path, name)
		r.oneOf(path+".every", list.Every, "day", "week", "month", "quarter")
		r.required(path, map[string]bool{"items": len(list.Items) == 0})
		names := map[string]bool{}
		for i, it := range list.Items {
			r.ticked(item(path+".items", i), it)
			if it.Name != "" && names[it.Name] {
				r.addf(item(path+".items", i)+".name", "another one is called %q", it.Name)
			}
			names[it.Name] = true
		}
	}
}

func (r *reader) ticked(path string, it Item) {
	r.required(path, map[string]bool{"name": it.Name == ""})
	switch {
	case strings.HasPrefix(it.By, "window"):
		r.addf(path+".by", "opening a window is no work that was seen done")
	case it.By != "":
		r.verb(path+".by", it.By)
	}
	for i, code := range it.Exits {
		if code < 0 || code > 6 {
			r.addf(item(path+".exits", i), "must be an exit code from 0 to 6, is %d", code)
		}
	}
	if len(it.Exits) > 0 && it.By == "" {
		r.addf(path+".exits", "counts only where a verb ticks the item: by")
	}
	if it.Target != "" {
		r.target(path+".target", it.Target)
	}
	if it.Target != "" && it.By == "" {
		r.addf(path+".target", "counts only where a verb ticks the item: by")
	}
}
