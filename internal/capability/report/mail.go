package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"upkeep/internal/service"
)

//go:embed mail.html
var mailHTML string

// Letter is a page as mail: what it says in one line, in text and in HTML with pictures.
type Letter struct {
	Subject, Text, HTML string
	Pictures            []Picture
}

// Picture is a chart that the HTML shows as cid:ID.
type Picture struct {
	ID  string
	PNG []byte
}

// mailColumns is how wide the text of a mail is: programs for mail quote and indent.
const mailColumns = 76

// Letter makes a mail of a page. file is where the whole page lies; empty where it was not
// written.
func (t Text) Letter(p Page, file string) (Letter, error) {
	l := Letter{Subject: t.Subject(p)}
	t.Colour, t.Columns = false, mailColumns
	var text, html strings.Builder
	if err := t.Write(&text, p); err != nil {
		return l, err
	}
	if file != "" {
		fmt.Fprintf(&text, "\n%s\n", t.say("mail-whole", args{"file": file}))
	}
	drawing := &drawer{}
	page, err := template.New("mail").Funcs(template.FuncMap{
		"say": func(id string) string { return t.say(id, nil) }, "draw": drawing.draw, "tint": tint,
		"shape":   func(s service.Severity) string { shape, _ := look(s); return shape },
		"verdict": func(name string) service.Severity { return service.Severity(name) },
		"runbook": Runbook, "whole": func(file string) string { return t.say("mail-whole", args{"file": file}) },
	}).Parse(mailHTML)
	if err != nil {
		return l, fmt.Errorf("read the mail's template: %w", err)
	}
	err = page.Execute(&html, struct {
		sheet
		File string
	}{t.folded(p), file})
	l.Text, l.HTML, l.Pictures = text.String(), html.String(), drawing.drawn
	return l, err
}

// Runbook is where to read what to do about a finding.
func Runbook(finding string) string { return "docs/runbooks/" + finding + ".md" }

// drawer keeps the charts that a mail shows.
type drawer struct{ drawn []Picture }

// draw returns the address of a chart's picture. html/template lets only known kinds of
// addresses pass.
func (d *drawer) draw(c chart) (template.URL, error) {
	png, err := c.picture()
	if err != nil {
		return "", err
	}
	id := fmt.Sprintf("chart-%d", len(d.drawn)+1)
	d.drawn = append(d.drawn, Picture{id, png})
	return template.URL("cid:" + id), nil //nolint:gosec // our own name
}

// tint is the colour of a verdict: no style sheet reaches into a mail.
func tint(s service.Severity) template.CSS {
	colours := map[service.Severity]template.CSS{service.OK: "#2b7a4b", service.Warning: "#9a6100", service.Critical: "#b3261e"}
	if c, known := colours[s]; known {
		return c
	}
	return "#6b6862"
}

// Subject says a page in one line: how many targets need somebody, and how old the last copy
// is that was proven.
func (t Text) Subject(p Page) string {
	return t.say("mail-subject", args{"system": p.System, "state": t.state(p), "copy": t.lastProven(p)})
}

func (t Text) state(p Page) string {
	counts := map[service.Severity]int{}
	all := t.cards(p)
	for _, c := range all {
		counts[c.Severity]++
	}
	var said, failed []string
	for _, severity := range []service.Severity{service.Critical, service.Warning, service.Unknown} {
		if n := counts[severity]; n > 0 {
			said = append(said, t.say(string(severity), args{"n": n}))
		}
	}
	for _, s := range p.Sections {
		if s.Problem != nil {
			failed = append(failed, s.Verb)
		}
	}
	if len(failed) > 0 {
		said = append(said, t.say("mail-verbs", args{"verbs": failed}))
	}
	switch {
	case len(said) > 0:
		return t.say("list", args{"of": said})
	case len(all) > 0:
		return t.say("mail-fine", args{"n": len(all)})
	}
	return t.say("mail-nothing", nil)
}

// lastProven is empty for a page that has to do with no copies.
func (t Text) lastProven(p Page) string {
	var taken time.Time
	for _, d := range p.Drills {
		if at := d.At.Add(-d.RPO); at.After(taken) {
			taken = at
		}
	}
	copies := false
	for _, s := range p.Sections {
		copies = copies || s.Verb == "backup" || s.Verb == "verify" || s.Verb == "drill"
		if s.Run.Proof != nil {
			if at := s.Run.Started.Add(-s.Run.Proof.RPO); at.After(taken) {
				taken = at
			}
		}
	}
	switch {
	case !taken.IsZero():
		return t.say("mail-proven", args{"age": rounded(t.Now.Sub(taken)).Seconds()})
	case copies:
		return t.say("mail-unproven", nil)
	}
	return ""
}

// rounded is an age as a headline says it.
func rounded(age time.Duration) time.Duration {
	for _, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		if age >= 2*unit {
			return age.Truncate(unit)
		}
	}
	return age.Truncate(time.Second)
}
