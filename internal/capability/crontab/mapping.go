package crontab

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/calendar"
)

// rule says which verbs do what a call does, or why none does.
type rule struct {
	is   *regexp.Regexp // of the call in one line, in lower case
	do   []string
	name string // of the job, where no script gives one
	why  string // no verb does it: ID of a note
}

// rules are tried in order.
var rules = []rule{
	{is: regexp.MustCompile(`consolidate_incremental_data|consolidate|merge_(incr|parquet|data)`), do: []string{"merge"}, name: "merge"},
	{is: regexp.MustCompile(`restore_test|test_restore|drill`), do: []string{"drill"}, name: "drill"},
	{is: regexp.MustCompile(`verify_backup|backup_verif|check_backup`), do: []string{"verify"}, name: "verify"},
	{is: regexp.MustCompile(`backup|pg_dump|pg_basebackup|mysqldump|neo4j-admin|bgsave|mc mirror|rclone|restic|borg`), do: []string{"backup", "verify"}, name: "backup"},
	{is: regexp.MustCompile(`weekly_?report|report.*week`), do: []string{"report --week"}, name: "report"},
	{is: regexp.MustCompile(`monthly_?report|report.*month|capacity`), do: []string{"report --month"}, name: "report"},
	{is: regexp.MustCompile(`report`), do: []string{"report --day"}, name: "report"},
	{is: regexp.MustCompile(`health|daily_check|check_(services|system|status)|status_check`), do: []string{"check"}, name: "check"},
	{is: regexp.MustCompile(`security|audit|scan`), why: "no-security"},
	{is: regexp.MustCompile(`update_system|upgrade|apt(-get)? |yum |dnf `), why: "no-update"},
	{is: regexp.MustCompile(`performance|tuning|tune`), do: []string{"tune"}, name: "tune"},
	{is: regexp.MustCompile(`vacuum|reindex|analyze|maintenance|optimi[sz]e`), do: []string{"maintain"}, name: "maintain"},
	{is: regexp.MustCompile(`collect_logs|logrotate|rotate_?logs?|compress_logs|clean_?logs?`), do: []string{"logs"}, name: "logs"},
}

// mapped returns the verbs of a line and notes what no verb does.
func (r *reader) mapped(n int, c command) (do []string, name string) {
	for _, argv := range c.calls {
		verbs, as, id := r.verbs(n, argv)
		switch {
		case c.mailed && isMail(argv):
			r.mail(n, argv)
		case id != "":
			r.lost(n, id, "command", strings.Join(argv, " "))
		default:
			do = append(do, verbs...)
			if name == "" {
				name = as
			}
		}
	}
	if c.mailed && slices.Contains(do, "check") {
		do = append(do, "report --day")
	}
	if len(do) > 0 {
		r.note(n, "mapped", "do", do)
	}
	if len(do) == 0 && len(c.calls) == 0 {
		r.lost(n, "nothing", "command", c.text)
	}
	return do, name
}

// verbs finds what does the same as one call; id says why nothing does.
func (r *reader) verbs(n int, argv []string) (do []string, name, id string) {
	if filepath.Base(argv[0]) == "find" {
		return r.find(n, argv)
	}
	line := strings.ToLower(strings.Join(argv, " "))
	for _, rule := range rules {
		if !rule.is.MatchString(line) {
			continue
		}
		if rule.why != "" {
			return nil, "", rule.why
		}
		name := strings.TrimSuffix(filepath.Base(script(argv)), filepath.Ext(script(argv)))
		if script(argv) == "" || !strings.Contains(filepath.Base(script(argv)), ".") {
			name = rule.name
		}
		return rule.do, name, ""
	}
	return nil, "", "no-verb"
}

// find understands the removal of old logs and of old copies.
func (r *reader) find(n int, argv []string) (do []string, name, id string) {
	line := strings.Join(argv, " ")
	if !strings.Contains(line, "-delete") && !strings.Contains(line, "rm") {
		return nil, "", "no-verb"
	}
	days := older(argv)
	switch {
	case regexp.MustCompile(`\.(tar|gz|zip|dump|sql|bak)|backup`).MatchString(line) && !strings.Contains(line, ".log"):
		r.note(n, "old-copies", "days", days, "keep", fmt.Sprintf("keep: {daily: %d}", max(days-1, 1)))
		return []string{"verify"}, "old-copies", ""
	case strings.Contains(line, "log"):
		r.LogAge = max(r.LogAge, days)
		r.note(n, "old-logs", "days", days)
		return []string{"logs"}, "logs", ""
	}
	return nil, "", "no-removal"
}

// older is after how many days find's -mtime +N holds: N whole days and more than none
// of the next have passed.
func older(argv []string) int {
	i := slices.Index(argv, "-mtime")
	if i < 0 || i+1 == len(argv) {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimPrefix(argv[i+1], "+"))
	if err != nil {
		return 0
	}
	return n + 1
}

func isMail(argv []string) bool {
	return slices.Contains([]string{"mail", "mailx", "sendmail", "mutt"}, filepath.Base(argv[0]))
}

func (r *reader) mail(n int, argv []string) {
	for _, word := range argv[1:] {
		if strings.Contains(word, "@") && !slices.Contains(r.Mail, word) {
			r.Mail = append(r.Mail, word)
		}
	}
	if !slices.ContainsFunc(r.path, func(dir string) bool { return r.Exists(filepath.Join(dir, filepath.Base(argv[0]))) }) {
		r.note(n, "no-mailer", "program", filepath.Base(argv[0]))
	}
}

// judge notes what a line gets wrong, whatever it does.
func (r *reader) judge(n int, c command, spec calendar.Spec) {
	if p, warns := spec.Warning(); warns {
		r.note(n, "either-day")
		r.Notes[len(r.Notes)-1].problem = p
	}
	for _, argv := range c.calls {
		if !isMail(argv) {
			r.program(n, c, argv)
			r.terminal(n, argv)
		}
	}
	if !c.locked && len(c.calls) > 0 {
		r.note(n, "no-lock")
	}
	if !c.captured && !c.mailed && len(r.Mail) == 0 {
		r.note(n, "unheard")
	}
}

// program notes programs and scripts that cron would not find.
func (r *reader) program(n int, c command, argv []string) {
	for _, path := range slices.Compact([]string{argv[0], script(argv)}) {
		switch {
		case path == "":
		case filepath.IsAbs(path):
			if !r.Exists(path) {
				r.note(n, "missing", "path", path)
			}
		case path != argv[0] || strings.Contains(path, "/"):
			r.relative(n, c, path)
		case !slices.ContainsFunc(r.path, func(dir string) bool { return r.Exists(filepath.Join(dir, path)) }):
			r.note(n, "not-in-path", "program", path, "path", strings.Join(r.path, ":"))
		}
	}
}

func (r *reader) relative(n int, c command, path string) {
	switch full := filepath.Join(c.dir, path); {
	case c.dir == "":
		r.note(n, "relative", "path", path)
	case !r.Exists(full):
		r.note(n, "missing", "path", full)
	}
}

// terminal notes programs that want one: cron has none.
func (r *reader) terminal(n int, argv []string) {
	base, line := filepath.Base(argv[0]), " "+strings.Join(argv, " ")+" "
	composes := base == "docker-compose" || base == "docker" && strings.Contains(line, " compose ")
	switch {
	case !strings.Contains(line, " exec ") || base != "docker" && base != "docker-compose":
	case composes && !strings.Contains(line, " -T "), !composes && regexp.MustCompile(` -i?t`).MatchString(line):
		r.note(n, "terminal", "command", strings.TrimSpace(line))
	}
}
