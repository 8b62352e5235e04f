package control

import (
	_ "embed"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep/internal/capability/crontab"
	"upkeep/internal/config"
	"upkeep/internal/service"
)

//go:embed cron.yaml
var cronText []byte

// ReadCrontab says which jobs do the same as the lines of a crontab.
func ReadCrontab(text string, now time.Time, system bool) crontab.Crontab {
	return crontab.Read(text, crontab.World{Exists: crontab.Exists, Now: now, System: system})
}

// lines writes files for other tools that run jobs.
type lines struct {
	strings.Builder
	app *App
}

// comment writes a message as comment lines.
func (l *lines) comment(id string, args service.Args) {
	for line := range strings.SplitSeq(l.app.opt.Words.Message("cron."+id, args), "\n") {
		l.WriteString("# " + strings.TrimSpace(line) + "\n")
	}
}

// CrontabLines are the jobs as a crontab of the user that upkeep runs as. What cron
// cannot say stands in it as a comment, with the reason.
func (a *App) CrontabLines(program string) ([]File, error) {
	declaration, err := filepath.Abs(a.Config.File)
	if err != nil {
		return nil, fmt.Errorf("find the declaration: %w", err)
	}
	l := &lines{app: a}
	l.comment("head", service.Args{"system": a.Config.System})
	if a.Config.TimeZone != "" {
		l.comment("zone", service.Args{"zone": a.Config.TimeZone})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Jobs)) {
		l.WriteByte('\n')
		l.cron(name, a.Config.Jobs[name], fmt.Sprintf("%s run %s --file %s", shellWord(program), name, shellWord(declaration)))
	}
	return []File{{Path: "upkeep.crontab", Text: l.String()}}, nil
}

func (l *lines) cron(name string, j config.Job, command string) {
	if !l.timed(name, j) {
		return
	}
	fields, guard, ok := j.At.Crontab()
	if !ok {
		l.comment("span", service.Args{"job": name, "at": j.At.Text, "tool": "cron"})
		return
	}
	if j.At.Every() > 0 {
		l.comment("elapsed", service.Args{"job": name})
	}
	if guard != "" {
		guard += " && "
	}
	fmt.Fprintf(l, "%s %s%s\n", fields, guard, strings.ReplaceAll(command, "%", `\%`))
}

// timed writes what another tool leaves out, and reports whether the job has times.
func (l *lines) timed(name string, j config.Job) bool {
	switch {
	case j.At.IsZero() && len(j.After) > 0:
		l.comment("no-time", service.Args{"job": name, "after": j.After})
	case j.At.IsZero():
		l.comment("asked", service.Args{"job": name})
	case len(j.After) > 0:
		l.comment("after", service.Args{"job": name, "after": j.After})
	}
	if p, warns := j.At.Warning(); warns {
		l.comment("either", service.Args{"job": name, "warning": l.app.opt.Words.Sprintf(p.Format, p.Args...)})
	}
	return !j.At.IsZero()
}

// shellWord quotes a word for a shell where it needs that.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r > 127 || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("/._-+:@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Timers are the jobs as systemd timers, each with the service that it starts. What
// systemd cannot say is left out, and a comment in a file of its own says why.
func (a *App) Timers(program string) (files []File, err error) {
	declaration, err := filepath.Abs(a.Config.File)
	if err != nil {
		return nil, fmt.Errorf("find the declaration: %w", err)
	}
	left := &lines{app: a}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Jobs)) {
		j := a.Config.Jobs[name]
		values := j.At.OnCalendar()
		switch {
		case j.At.IsZero():
			left.timed(name, j)
		case values == nil:
			left.comment("span", service.Args{"job": name, "at": j.At.Text, "tool": "systemd"})
		default:
			files = append(files, a.timer(name, j, values), a.timed(name, program, declaration))
		}
	}
	if left.Len() > 0 {
		files = append(files, File{Path: "/etc/systemd/system/upkeep-jobs.left-out", Text: left.String()})
	}
	return files, nil
}

func (a *App) timer(name string, j config.Job, values []string) File {
	l := &lines{app: a}
	l.comment("timer-head", service.Args{"job": name, "system": a.Config.System})
	l.timed(name, j)
	fmt.Fprintf(l, "[Unit]\nDescription=upkeep: %s %s\n\n[Timer]\n", a.Config.System, name)
	for _, value := range values {
		fmt.Fprintf(l, "OnCalendar=%s\n", value)
	}
	fmt.Fprintf(l, "AccuracySec=1s\nPersistent=%t\n", j.Missed != "none")
	if j.Jitter > 0 {
		fmt.Fprintf(l, "RandomizedDelaySec=%d\nFixedRandomDelay=true\n", int(j.Jitter.Std().Seconds()))
	}
	l.WriteString("\n[Install]\nWantedBy=timers.target\n")
	return File{Path: "/etc/systemd/system/upkeep-" + name + ".timer", Text: l.String()}
}

func (a *App) timed(name, program, declaration string) File {
	unit := fmt.Sprintf("[Unit]\nDescription=upkeep: %s %s\n\n[Service]\nType=oneshot\nExecStart=%s run %s --file %s\n",
		a.Config.System, name, systemdWord(program), name, systemdWord(declaration))
	return File{Path: "/etc/systemd/system/upkeep-" + name + ".service", Text: unit}
}

// systemdWord quotes a word of a command line in a unit.
func systemdWord(word string) string {
	word = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(word)
	if strings.ContainsAny(word, " \t'\"") {
		return `"` + word + `"`
	}
	return word
}
