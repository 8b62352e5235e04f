package hostfiles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/internal/config"
	"upkeep/internal/service"
)

// Crontab is the jobs as a crontab of the user that upkeep runs as. What cron cannot say stands in it
// as a comment, with the reason.
func (s System) Crontab() []File {
	l := s.lines()
	l.comment("crontab-head", service.Args{"system": s.Config.System})
	if s.Config.TimeZone != "" {
		l.comment("zone", service.Args{"zone": s.Config.TimeZone})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Config.Jobs)) {
		l.WriteByte('\n')
		l.cron(name, s.Config.Jobs[name], fmt.Sprintf("%s run %s --file %s", shellWord(s.Program), name, shellWord(s.Declaration)))
	}
	return []File{{Path: "upkeep.crontab", Text: l.String()}}
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
