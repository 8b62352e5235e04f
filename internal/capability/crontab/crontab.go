// Package crontab reads a crontab and says which jobs of upkeep.yaml do the same, what
// each line gets wrong, and what of it no job can do. It runs nothing and looks only
// whether the scripts are there.
package crontab

import (
	"bufio"
	_ "embed"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/diag"
)

//go:embed text.yaml
var text []byte

// Words are the notes in two languages.
func Words() []byte { return text }

// Crontab is what was read of a file.
type Crontab struct {
	Jobs     []Job
	LogAge   int // days after which old logs went; 0 where none did
	Mail     []string
	Notes    []Note // in the order of the lines
	Unmapped int    // lines that no job stands for
	Zone     string // CRON_TZ
}

// Job is a line as a job.
type Job struct {
	Name    string   `json:"job"`
	Line    int      `json:"line"`
	Comment string   `json:"comment,omitempty"` // that stands above the line
	At      string   `json:"at"`
	Do      []string `json:"do"`

	spec   calendar.Spec
	locked bool
}

// Note is something to know of a line. ID names words of the catalogue.
type Note struct {
	Line     int            `json:"line"`
	ID       string         `json:"id"`
	Args     map[string]any `json:"args,omitempty"`
	Unmapped bool           `json:"unmapped"`
	Text     string         `json:"text,omitempty"` // in the reader's language

	problem diag.Problem // has words of its own
}

// World is what the lines refer to.
type World struct {
	Exists func(path string) bool
	Now    time.Time
	System bool // lines name the user that they run as, as in /etc/crontab
}

// reader goes through the lines.
type reader struct {
	World
	Crontab
	path    []string // in which programs are looked for
	comment string
}

// cronPath is what cron has when the crontab says nothing.
var cronPath = []string{"/usr/bin", "/bin"}

// Read reads the text of a crontab.
func Read(text string, w World) Crontab {
	r := reader{World: w, path: cronPath}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan(); n++ {
		r.line(n, strings.TrimSpace(lines.Text()))
	}
	r.overlaps()
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return a.Line - b.Line })
	return r.Crontab
}

func (r *reader) note(line int, id string, args ...any) {
	n := Note{Line: line, ID: "crontab." + id, Args: map[string]any{}}
	for i := 0; i+1 < len(args); i += 2 {
		n.Args[args[i].(string)] = args[i+1]
	}
	r.Notes = append(r.Notes, n)
}

// lost notes that nothing stands for a line, and why.
func (r *reader) lost(line int, id string, args ...any) {
	r.note(line, id, args...)
	r.Notes[len(r.Notes)-1].Unmapped = true
	r.Unmapped++
}

var assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$`)

func (r *reader) line(n int, line string) {
	switch set := assignment.FindStringSubmatch(line); {
	case line == "":
		r.comment = ""
	case strings.HasPrefix(line, "#"):
		r.comment = strings.TrimSpace(strings.TrimLeft(line, "#"))
	case set != nil:
		r.variable(n, set[1], strings.Trim(set[2], `"'`))
	default:
		r.job(n, line)
		r.comment = ""
	}
}

func (r *reader) variable(n int, name, value string) {
	switch name {
	case "MAILTO":
		if value == "" {
			r.note(n, "silenced")
			return
		}
		r.Mail = append(r.Mail, strings.Split(value, ",")...)
		r.note(n, "mailto", "to", value)
	case "PATH":
		r.path = strings.Split(value, ":")
	case "CRON_TZ", "TZ":
		r.Zone = value
		r.note(n, "zone", "zone", value)
	}
}

// job reads "FIELDS [USER] COMMAND".
func (r *reader) job(n int, line string) {
	at, command, ok := cut(line, r.System)
	switch {
	case !ok:
		r.lost(n, "no-line", "text", line)
		return
	case at == "@reboot":
		r.lost(n, "reboot", "command", command)
		return
	}
	spec, err := calendar.Parse(at)
	if err != nil {
		r.lost(n, "no-time", "at", at)
		return
	}
	c := r.parse(n, command)
	do, name := r.mapped(n, c)
	r.judge(n, c, spec)
	if len(do) == 0 {
		return
	}
	job := Job{Name: r.name(name), Line: n, Comment: r.comment, At: spec.Plain(), Do: do, spec: spec, locked: c.locked}
	r.Jobs = append(r.Jobs, job)
}

// cut takes the time, and the user, off a line.
func cut(line string, system bool) (at, command string, ok bool) {
	fields := 5
	if strings.HasPrefix(line, "@") {
		fields = 1
	}
	if system {
		fields++
	}
	rest := line
	var parts []string
	for range fields {
		field, more, found := strings.Cut(strings.TrimLeft(rest, " \t"), " ")
		if before, after, tab := strings.Cut(field, "\t"); tab {
			field, more, found = before, after+" "+more, true
		}
		if !found {
			return "", "", false
		}
		parts, rest = append(parts, field), more
	}
	if system {
		parts = parts[:len(parts)-1]
	}
	command = strings.TrimSpace(rest)
	return strings.Join(parts, " "), command, command != ""
}

var unnamed = regexp.MustCompile(`[^\p{Han}a-zA-Z0-9_-]+`)

// name makes a job's name of a script's that no other job has.
func (r *reader) name(script string) string {
	name := strings.Trim(unnamed.ReplaceAllString(script, "-"), "-_0123456789")
	if name == "" {
		name = "job"
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(r.Jobs, func(j Job) bool { return j.Name == name })
	}
	for base, i := name, 2; taken(name); i++ {
		name = base + "-" + string(rune('0'+i%10))
		if i > 9 {
			name = base + "-" + strings.Repeat("x", i-9)
		}
	}
	return name
}

// overlaps notes lines that are due at the same moment with nothing between them.
func (r *reader) overlaps() {
	end := r.Now.AddDate(0, 0, 8)
	for i, a := range r.Jobs {
		for _, b := range r.Jobs[i+1:] {
			if a.locked && b.locked {
				continue
			}
			for at := range a.spec.Between(r.Now, end) {
				if b.spec.Next(at.Add(-time.Second)).Equal(at) {
					r.note(b.Line, "together", "other", a.Line, "at", at.Format("15:04"))
					break
				}
			}
		}
	}
}

// Exists is whether a file is there.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
