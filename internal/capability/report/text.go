package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// usual is how wide the text form is where nobody says otherwise, narrowest how
// narrow it gets: below that a terminal wraps better than we do.
const (
	usual     = 96
	narrowest = 40
)

// Text writes pages for a terminal or a mail.
type Text struct {
	Words   catalogue.Words
	Colour  bool
	Now     time.Time
	Columns int // of the terminal; 0 = 96, which is also the most

	unfolded bool // for paper, which nobody can open anything on
}

func (t Text) columns() int {
	if t.Columns <= 0 {
		return usual
	}
	return min(usual, max(narrowest, t.Columns))
}

// Write writes one page: bad first, each with its fix, one line for what is fine.
func (t Text) Write(out io.Writer, p Page) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s · %s · %s\n\n", p.System, t.title(p), t.Words.Time(p.At))
	for _, s := range p.Sections {
		t.section(&b, s)
	}
	if p.Problem != nil {
		t.hang(&b, "", t.problem(Section{Verb: "run"}, p.Problem, "").Title, "")
	}
	t.history(&b, p)
	t.stores(&b, p)
	t.resultsText(&b, p)
	if last := t.Sentence(p); last != "" {
		fmt.Fprintln(&b)
		t.hang(&b, "", last, "")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// verbColumn is where a section's summary begins.
const verbColumn = 8

func (t Text) section(b *strings.Builder, s Section) {
	took := t.Words.Duration(s.Took)
	if s.Skipped || s.open() || s.Verb == "report" {
		took = ""
	}
	t.hang(b, pad(s.Verb, verbColumn), t.Summary(s), took)
	if s.Problem != nil {
		said := t.problem(s, s.Problem, "")
		for _, more := range kept(said.Consequence, said.Fix) {
			t.hang(b, strings.Repeat(" ", verbColumn), more, "")
		}
	}
	name := t.nameColumn(s)
	for _, l := range s.Lines {
		t.line(b, s, l, name)
	}
}

// nameColumn is how wide the targets' names are: as the longest of them needs,
// within a fifth of the line.
func (t Text) nameColumn(s Section) int {
	name := 8
	for _, l := range s.Lines {
		name = max(name, pictured(l.Target))
	}
	return min(name, max(8, t.columns()/5)) + 1
}

func (t Text) line(b *strings.Builder, s Section, l Line, name int) {
	said := t.told(s, l)
	head := "  " + t.mark(l.Severity) + " " + pad(l.Target, name)
	indent := strings.Repeat(" ", 4+name)
	if pictured(head) > 4+name { // a long name has its line for itself
		fmt.Fprintln(b, strings.TrimRight(head, " "))
		head = indent
	}
	t.hang(b, head, said.Title, said.Since)
	if said.Fix != "" {
		t.hang(b, indent, said.Fix, "")
	}
}

// hang writes text after a head, wrapped below itself, and what stands at the
// right edge of its first line.
func (t Text) hang(b *strings.Builder, head, text, right string) {
	indent := pictured(head)
	rest := max(t.columns()-indent, 16)
	first := rest
	if right != "" {
		first -= pictured(right) + 2
	}
	for i, line := range wrap(text, max(first, 8), rest) {
		switch {
		case i == 0 && right != "":
			line = pad(head+line, t.columns()-pictured(right)) + right
		case i == 0:
			line = head + line
		default:
			line = strings.Repeat(" ", indent) + line
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}

// Line says of one target what it was found to be.
func (t Text) Line(target journal.Target) string {
	return t.mark(target.Verdict) + " " + target.Target + "  " + t.say("word-"+string(target.Verdict), args{})
}

// mark is a verdict's shape, told apart without colour.
func (t Text) mark(s service.Severity) string {
	shape, colour := look(s)
	if !t.Colour {
		return shape
	}
	return colour + shape + "\x1b[0m"
}

// look gives a verdict's shape and the terminal's own red, yellow, green or dim.
func look(s service.Severity) (shape, colour string) {
	switch s {
	case service.Critical:
		return "◆", "\x1b[31m"
	case service.Warning:
		return "▲", "\x1b[33m"
	case service.OK:
		return "●", "\x1b[32m"
	}
	return "○", "\x1b[2m"
}

// history lists what was done within the page's span.
func (t Text) history(b *strings.Builder, p Page) {
	if len(p.Activities) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", t.say("span", args{"since": t.Words.Time(p.Since)}))
	for _, a := range p.Activities {
		t.hang(b, "  "+pad(a.Verb, verbColumn), t.say("activity", args{"runs": a.Runs, "failed": a.Failed}), "")
	}
	for _, d := range p.Drills {
		t.hang(b, "  ", t.say("drilled", args{"at": t.Words.Time(d.At), "rpo": d.RPO.Seconds(), "rto": d.RTO.Seconds()}), "")
	}
}

// stores lists how much is used and how that changes.
func (t Text) stores(b *strings.Builder, p Page) {
	rows := t.capacity(p)
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", t.say("capacity", nil))
	for _, r := range rows {
		t.hang(b, "  ", t.say("store-line", args{"name": r.Name, "used": r.Used, "change": r.Change, "daily": r.Daily}), "")
	}
}
