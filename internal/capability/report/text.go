package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/width"

	"upkeep/internal/catalogue"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// columns is how wide the text form is where nobody says otherwise.
const columns = 96

// marks are the verdicts' shapes: told apart without colour.
var marks = map[service.Severity]string{
	service.Critical: "◆", service.Warning: "▲", service.Unknown: "○", service.OK: "●",
}

// colours are the terminal's own red, yellow, dim and green.
var colours = map[service.Severity]string{
	service.Critical: "\x1b[31m", service.Warning: "\x1b[33m", service.Unknown: "\x1b[2m", service.OK: "\x1b[32m",
}

// Text writes pages for a terminal or a mail.
type Text struct {
	Words  catalogue.Words
	Colour bool
	Now    time.Time
}

// Write writes one page: bad first, each with its fix, one line for what is fine.
func (t Text) Write(out io.Writer, p Page) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s · %s · %s\n\n", p.System, t.verb(p.Title), t.Words.Time(p.At))
	for _, s := range p.Sections {
		t.section(&b, p, s)
	}
	t.history(&b, p)
	if last := t.Sentence(p); last != "" {
		fmt.Fprintf(&b, "\n%s\n", last)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (t Text) verb(title string) string { return title }

func (t Text) section(b *strings.Builder, p Page, s Section) {
	head := pad(s.Verb, 8) + t.Summary(p, s)
	fmt.Fprintf(b, "%s%s\n", pad(head, columns-pictured(t.Words.Duration(s.Took))), t.Words.Duration(s.Took))
	for _, l := range s.Lines {
		t.line(b, s, l)
	}
}

func (t Text) line(b *strings.Builder, s Section, l Line) {
	title, fix, right := t.words(l)
	name := 10
	for _, other := range s.Lines {
		name = max(name, pictured(other.Target)+1)
	}
	head := "  " + t.mark(l.Severity) + " " + pad(l.Target, name) + title
	if right != "" {
		head = pad(head, columns-pictured(right)+t.invisible()) + right
	}
	fmt.Fprintln(b, strings.TrimRight(head, " "))
	if fix != "" {
		fmt.Fprintln(b, strings.Repeat(" ", name+4)+strings.ReplaceAll(fix, "\n", "\n"+strings.Repeat(" ", name+4)))
	}
}

// words returns what a line says, what to do, and since when.
func (t Text) words(l Line) (title, fix, since string) {
	if l.Error != nil {
		title, consequence, fix := t.Words.Error(l.Error.ID, args(l.Error))
		return t.Words.Message("report.could-not-tell", map[string]any{"why": title, "consequence": consequence}), fix, ""
	}
	title, fix = t.Words.Finding(l.Finding.ID, l.Finding.Args)
	if s := l.Finding.Since; !s.IsZero() && t.Now.Sub(s) > time.Minute {
		since = t.Words.Since(s, t.Now)
	}
	return title, fix, since
}

func args(p *journal.Problem) map[string]any {
	all := map[string]any{"detail": p.Detail}
	maps.Copy(all, p.Args)
	return all
}

func (t Text) mark(s service.Severity) string {
	if !t.Colour {
		return marks[s]
	}
	return colours[s] + marks[s] + "\x1b[0m"
}

// invisible is how many bytes of a coloured mark take no room.
func (t Text) invisible() int {
	if t.Colour {
		return len("\x1b[31m\x1b[0m")
	}
	return 0
}

// Summary is the one line that says how a verb went.
func (t Text) Summary(p Page, s Section) string {
	switch {
	case s.Skipped:
		return t.Words.Message("report.skipped", nil)
	case s.Problem != nil:
		title, consequence, fix := t.Words.Error(s.Problem.ID, args(s.Problem))
		return strings.TrimSpace(strings.Join([]string{title, consequence, fix}, "\n        "))
	case s.Verb == "report":
		return p.Output
	case s.Verb == "backup" && s.Run.Point != "":
		return t.Words.Message("report.backup", map[string]any{"point": s.Run.Point,
			"bytes": sum(s.Run, "bytes"), "added": sum(s.Run, "added_bytes")})
	case s.Verb == "verify" && clean(s):
		return t.Words.Message("report.verify", map[string]any{"bytes": sum(s.Run, "bytes")})
	case s.Run.Proof != nil:
		return t.Words.Message("report.drill", map[string]any{"what": t.compared(s.Run.Proof.Compared)})
	}
	return t.tally(s)
}

func clean(s Section) bool { return len(s.Lines) == 0 && s.Problem == nil }

func sum(run journal.Run, fact string) float64 {
	total := 0.0
	for _, target := range run.Targets {
		switch n := target.Facts[fact].(type) {
		case float64:
			total += n
		case int64:
			total += float64(n)
		}
	}
	return total
}

// tally counts targets by verdict: "◆ 1 critical  ● 9 ok".
func (t Text) tally(s Section) string {
	var parts []string
	for _, v := range []service.Severity{service.Critical, service.Warning, service.Unknown, service.OK} {
		if n := s.Counts[v]; n > 0 {
			parts = append(parts, marks[v]+" "+t.Words.Message("report."+string(v), map[string]any{"n": n}))
		}
	}
	return strings.Join(parts, "  ")
}

// compared lists what was found equal: "214 tables, 112,904 keys".
func (t Text) compared(counts map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if name == "bytes" || counts[name] == 0 {
			continue
		}
		noun := t.Words.Message("report.count-"+name, map[string]any{"n": counts[name]})
		if strings.HasPrefix(noun, "!") { // a kind's own word: shown as the kind calls it
			noun = t.Words.Count(counts[name]) + " " + name
		}
		parts = append(parts, noun)
	}
	return strings.Join(parts, ", ")
}

// pad fills text up to a number of columns.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(1, columns-pictured(text)))
}

// pictured is the width of text in columns: Chinese characters take two.
func pictured(text string) int {
	n := 0
	for _, r := range text {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// history lists what was done within the page's span.
func (t Text) history(b *strings.Builder, p Page) {
	if len(p.Activities) > 0 {
		fmt.Fprintln(b)
	}
	for _, a := range p.Activities {
		fmt.Fprintln(b, t.Words.Message("report.activity", map[string]any{"verb": a.Verb, "runs": a.Runs, "failed": a.Failed}))
	}
	for _, d := range p.Drills {
		fmt.Fprintln(b, t.Words.Message("report.drilled", map[string]any{"at": t.Words.Time(d.At), "rpo": d.RPO.Seconds(), "rto": d.RTO.Seconds()}))
	}
}
