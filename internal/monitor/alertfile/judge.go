package alertfile

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"upkeep/internal/diag"
	"upkeep/internal/nearest"
)

// judgement mends a text step by step: Alertmanager names what is wrong in the order
// in which it stumbles, so that the next mistake shows when one is out of the way.
type judgement struct {
	dir      string
	original document // where problems stand, whatever was mended before
	text     string   // as far as it is mended
	found    []mistake
	advice   []mistake
	stuck    bool // something is wrong that only its author can mend
}

// mistake is one problem and how the text should read instead.
type mistake struct {
	diag.Problem
	edits []edit
}

// refuse collects what the loader refuses. Each round mends something, or is the last.
func (j *judgement) refuse() {
	for range 50 {
		_, err := Load(j.text)
		if err == nil {
			return
		}
		d := parse(j.text)
		if !j.mend(d, d.explain(err)) {
			j.stuck = true
			return
		}
	}
}

// mend records mistakes and makes their edits; false when nothing changes by them.
func (j *judgement) mend(d document, mistakes []mistake) bool {
	var edits []edit
	for _, m := range mistakes {
		edits = append(edits, m.edits...)
		j.add(m)
	}
	mended := d.apply(edits)
	changed := mended != j.text
	j.text = mended
	return changed
}

// add keeps a mistake once: what only its author can mend shows in every round.
func (j *judgement) add(m mistake) {
	m = j.placed(m)
	if !slices.ContainsFunc(j.found, func(f mistake) bool { return f.String() == m.String() && f.Line == m.Line }) {
		j.found = append(j.found, m)
	}
}

// placed gives a mistake the position that its key has in the file as it is.
func (j *judgement) placed(m mistake) mistake {
	if line, column := j.original.position(m.Path); line > 0 {
		m.Line, m.Column = line, column
	}
	return m
}

func (j *judgement) loads() bool { return !j.stuck }

func (j *judgement) report(content string) (r Report) {
	for _, m := range j.found {
		r.Problems = append(r.Problems, m.Problem)
	}
	for _, m := range j.advice {
		r.Warnings = append(r.Warnings, m.Problem)
	}
	slices.SortStableFunc(r.Problems, byLine)
	slices.SortStableFunc(r.Warnings, byLine)
	if !j.stuck && j.text != content {
		r.Corrected = j.text
	}
	if len(r.Problems) == 0 {
		r.Config, _ = Load(content) // loaded before
	}
	return r
}

func byLine(a, b diag.Problem) int { return a.Line - b.Line }

var atLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

// explain turns the loader's errors into mistakes, each at its place.
func (d *document) explain(err error) (all []mistake) {
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line == "yaml: unmarshal errors:" || line == "" {
			continue
		}
		all = append(all, d.explained(line)...)
	}
	return all
}

func (d *document) explained(text string) []mistake {
	number := 0
	if m := atLine.FindStringSubmatch(text); m != nil {
		number, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	for _, known := range stumbles {
		if m := known.says.FindStringSubmatch(text); m != nil {
			return known.explain(d, number, m[len(m)-1])
		}
	}
	return []mistake{d.other(number, text)}
}

// stumbles are the errors of the loader that can be explained better than by its own
// words, and who does it: with the line, if it is named, and the last word caught.
var stumbles = []struct {
	says    *regexp.Regexp
	explain func(d *document, line int, word string) []mistake
}{
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errSNS.Error())), func(d *document, _ int, _ string) []mistake { return one(d.sns()) }},
	{regexp.MustCompile(`^field (\S+) not found in type`), func(d *document, n int, name string) []mistake { return one(d.unknown(n, name)) }},
	{regexp.MustCompile(`^(?:field|key) "?([^" ]+)"? already set in (?:type|map)`), func(d *document, n int, name string) []mistake { return one(d.twice(n, name)) }},
	{regexp.MustCompile(`^cannot unmarshal !!seq into string`), func(d *document, n int, _ string) []mistake { return one(d.listed(n)) }},
	{regexp.MustCompile(`^undefined receiver`), func(d *document, _ int, _ string) []mistake { return d.undefined() }},
	{regexp.MustCompile(`(?:not a valid duration string:|unit in duration|in duration) "(.*)"`), func(d *document, _ int, value string) []mistake { return one(d.duration(value)) }},
	{regexp.MustCompile(`^address (\S+): missing port in address`), func(d *document, _ int, host string) []mistake { return one(d.noPort(host)) }},
	{regexp.MustCompile(`^notification config name "(.*)" is not unique`), func(d *document, _ int, name string) []mistake { return one(d.sameName(name)) }},
	{regexp.MustCompile(`^no routes? provided`), func(d *document, _ int, text string) []mistake { return one(d.noRoute(text)) }},
}

func one(m mistake) []mistake { return []mistake{m} }

// other is a mistake that is not known here: the loader's own words, at the line it
// names or at what they speak of.
func (d *document) other(number int, text string) mistake {
	for says, path := range map[string]string{"SMTP": "global", "no route": "route", "root route": "route", "to address": "receivers"} {
		if k, ok := d.named(path); ok && number == 0 && strings.Contains(text, says) {
			return at(k, "Alertmanager refuses it: %s", text)
		}
	}
	if k, ok := d.find(func(k key) bool { return k.at.Line == number }); ok {
		return at(k, "Alertmanager refuses it: %s", text)
	}
	var p diag.Problem
	p.Line, p.Column, p.Format, p.Args = number, min(number, 1), "Alertmanager refuses it: %s", []any{text}
	return mistake{Problem: p}
}

func at(k key, format string, args ...any) mistake {
	return mistake{Problem: diag.Problem{Line: k.at.Line, Column: k.at.Column, Path: k.path, Format: format, Args: args}}
}

// mended adds edits to a mistake, and how they read to its words.
func (m mistake) mended(edits ...edit) mistake {
	var lines []string
	for _, e := range edits {
		lines = append(lines, e.with...)
	}
	return m.shown(lines, edits...)
}

// shown adds edits, and to its words lines that say more than the edits alone.
func (m mistake) shown(lines []string, edits ...edit) mistake {
	m.edits = edits
	m.Args = append(m.Args, excerpt(lines))
	return m
}

func (d *document) sns() mistake {
	k, _ := d.find(func(k key) bool { return k.name == "sns_configs" })
	return at(k, "upkeep is built without Amazon SNS, whose client is large for one receiver; use webhook_configs with a service that passes on to SNS, or another receiver")
}

func (d *document) unknown(line int, name string) mistake {
	k, ok := d.find(func(k key) bool { return k.name == name && k.at.Line == line })
	if !ok {
		return d.other(line, "field "+name+" is not known")
	}
	in := last(above(k.path))
	if in == "email_configs" && slices.Contains([]string{"subject", "body", "message", "content"}, name) && !k.inFlow {
		return d.mail(k)
	}
	if word := meant[in][name]; word != "" && !d.has(k.parent, word) {
		return at(k, "unknown key of %s; there it is called %s. Write:%s", place(in), word).mended(d.rename(k, word))
	}
	choices := known(above(k.path))
	if word := nearest.Word(strings.ReplaceAll(name, "-", "_"), choices); word != "" && !d.has(k.parent, word) {
		return at(k, "unknown key of %s; did you mean %q? Write:%s", place(in), word).mended(d.rename(k, word))
	}
	m := at(k, "unknown key of %s; known there: %s", place(in), strings.Join(choices, ", "))
	if !k.inFlow {
		m.edits = []edit{d.commented(k)}
	}
	return m
}

// place names what a key stands in.
func place(name string) string {
	if name == "" {
		return "alertmanager.yml"
	}
	return name
}

func (d *document) has(mapping *yaml.Node, name string) bool {
	_, ok := d.find(func(k key) bool { return k.parent == mapping && k.name == name })
	return ok
}

// commented leaves a key in the file as a comment: what it was meant for is not known.
func (d *document) commented(k key) edit {
	block := d.block(k)
	for i := range block {
		block[i] = "# " + block[i]
	}
	return d.rewrite(k, bareBlock(block, k.at.Column-1))
}

// mail mends the two keys that a mail is expected to have: its subject is a header,
// its body text or html.
func (d *document) mail(k key) mistake {
	if k.name == "subject" {
		shown, edits := d.subject(k)
		return at(k, "unknown key of email_configs: the subject is one of the mail's headers. Write:%s").shown(shown, edits...)
	}
	word := "text"
	if strings.Contains(k.value.Value, "</") || strings.Contains(k.value.Value, "<br") {
		word = "html"
	}
	if d.has(k.parent, word) {
		return at(k, "unknown key of email_configs: a mail's content is text, html or both, and %s is there already", word)
	}
	return at(k, "unknown key of email_configs: a mail's content is text, html or both. Write:%s").mended(d.rename(k, word))
}

// subject puts a subject below headers, into those that are there if any are, and
// says how that reads.
func (d *document) subject(k key) (shown []string, edits []edit) {
	block := bareBlock(d.block(k), k.at.Column-1)
	block[0] = "Subject" + strings.TrimPrefix(block[0], k.name)
	shown = append([]string{"headers:"}, indented(block, "  ")...)
	headers, ok := d.find(func(h key) bool { return h.parent == k.parent && h.name == "headers" })
	switch {
	case ok && d.has(headers.value, "Subject"), ok && headers.value.Style&yaml.FlowStyle != 0:
		return shown, []edit{d.commented(k)}
	case ok:
		indent := strings.Repeat(" ", headers.value.Column-1)
		return shown, []edit{d.removed(k), {d.end(headers), d.end(headers), indented(block, indent)}}
	}
	return shown, []edit{d.rewrite(k, shown)}
}

// removed takes a key out. The next one gets the dash of a list that stood before it.
func (d *document) removed(k key) edit {
	before, end := d.lines[k.at.Line-1][:k.at.Column-1], d.end(k)
	if !strings.Contains(before, "-") || end > len(d.lines) {
		return edit{k.at.Line, end, nil}
	}
	return edit{k.at.Line, end + 1, []string{before + strings.TrimLeft(d.lines[end-1], " ")}}
}

// twice leaves the second of two equal keys as a comment.
func (d *document) twice(line int, name string) mistake {
	k, ok := d.find(func(k key) bool { return k.name == name && k.at.Line == line })
	if !ok || k.inFlow {
		return d.other(line, name+" stands there twice")
	}
	m := at(k, "stands there twice; only one may")
	m.edits = []edit{d.commented(k)}
	return m
}

// listed joins a list that must be one text: several addresses of a mail.
func (d *document) listed(line int) mistake {
	k, ok := d.find(func(k key) bool {
		return k.value.Kind == yaml.SequenceNode && k.name != "" && (k.value.Line == line || k.at.Line == line)
	})
	if !ok || k.inFlow {
		return d.other(line, "a list stands where one text must")
	}
	var items []string
	for _, item := range k.value.Content {
		items = append(items, item.Value)
	}
	with := k.name + ": '" + strings.ReplaceAll(strings.Join(items, ", "), "'", "''") + "'"
	return at(k, "must be one text, with commas between several. Write:%s").mended(d.rewrite(k, []string{with}))
}

// receivers are the names of the receivers and where they stand.
func (d *document) receivers() (names []string, nodes map[string]*yaml.Node) {
	nodes = map[string]*yaml.Node{}
	for _, k := range d.keys {
		if k.name == "name" && last(above(k.path)) == "receivers" {
			names = append(names, k.value.Value)
			nodes[k.value.Value] = k.value
		}
	}
	return names, nodes
}

// undefined finds every route to a receiver that is not there.
func (d *document) undefined() (all []mistake) {
	names, _ := d.receivers()
	for _, k := range d.keys {
		if k.name == "receiver" && k.value.Kind == yaml.ScalarNode && !slices.Contains(names, k.value.Value) {
			all = append(all, d.unreceived(k, names))
		}
	}
	return all
}

func (d *document) unreceived(k key, names []string) mistake {
	word := nearest.Word(k.value.Value, names)
	if len(names) == 1 {
		word = names[0]
	}
	if e, ok := d.reword(k.value, word); ok && word != "" {
		return at(k, "there is no receiver %q; did you mean %q? Write:%s", k.value.Value, word).mended(e)
	}
	return at(k, "there is no receiver %q; there are: %s", k.value.Value, strings.Join(names, ", "))
}

// noRoute: an alert needs a way. Where there is one receiver, there is one way.
func (d *document) noRoute(text string) mistake {
	names, _ := d.receivers()
	k, ok := d.named("receivers")
	if !ok || len(names) != 1 || k.inFlow {
		return d.other(0, cmp.Or(text, "no route provided"))
	}
	return at(k, "there is no route to the receiver: no alert would get there. Write before it:%s").
		mended(edit{k.at.Line, k.at.Line, []string{"route:", "  receiver: " + names[0], ""}})
}

var units = map[string]string{"": "s", "ms": "ms", "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "m": "m", "min": "m", "mins": "m",
	"minute": "m", "minutes": "m", "h": "h", "hr": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d", "w": "w", "week": "w", "weeks": "w"}

var spoken = regexp.MustCompile(`^\s*(\d+)\s*([a-zA-Z]*)\s*$`)

func (d *document) duration(value string) mistake {
	k, ok := d.find(func(k key) bool { return k.value.Value == value && k.value.Kind == yaml.ScalarNode })
	if !ok {
		return d.other(0, value+" is no duration")
	}
	if m := spoken.FindStringSubmatch(value); m != nil && units[strings.ToLower(m[2])] != "" {
		if e, ok := d.reword(k.value, m[1]+units[strings.ToLower(m[2])]); ok {
			return at(k, "must be a duration such as 30s, 5m or 4h, is %q. Write:%s", value).mended(e)
		}
	}
	return at(k, "must be a duration such as 30s, 5m or 4h, is %q", value)
}

func (d *document) noPort(host string) mistake {
	k, ok := d.find(func(k key) bool { return strings.TrimSuffix(k.value.Value, ":") == strings.TrimSuffix(host, ":") })
	if !ok {
		return d.other(0, "address "+host+" has no port")
	}
	if e, ok := d.reword(k.value, strings.TrimSuffix(host, ":")+":587"); ok {
		return at(k, "must be HOST:PORT; mail is handed in at port 587. Write:%s").mended(e)
	}
	return at(k, "must be HOST:PORT, is %q", host)
}

func (d *document) sameName(name string) mistake {
	_, nodes := d.receivers()
	k, ok := d.find(func(k key) bool { return k.value == nodes[name] })
	if !ok {
		return d.other(0, "two receivers are called "+name)
	}
	return at(k, "another receiver is called %q: put both into one, or give this one another name", name)
}
