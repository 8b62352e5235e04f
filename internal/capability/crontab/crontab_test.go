package crontab_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/capability/crontab"
	"upkeep/internal/catalogue"
)

// there are the files of the machine that a crontab is read on.
func read(text string, there ...string) crontab.Crontab {
	return crontab.Read(text, crontab.World{Now: time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC),
		Exists: func(path string) bool { return slices.Contains(there, path) }})
}

// told are job and notes of one line, as "AT VERB, VERB: note note".
func told(c crontab.Crontab) string {
	var b strings.Builder
	for _, j := range c.Jobs {
		fmt.Fprintf(&b, "%s %s %s:", j.Name, j.At, strings.Join(j.Do, ", "))
	}
	for _, n := range c.Notes {
		b.WriteString(" " + strings.TrimPrefix(n.ID, "crontab."))
		if n.Unmapped {
			b.WriteString("!")
		}
	}
	return strings.TrimSpace(b.String())
}

func TestLines(t *testing.T) {
	for line, want := range map[string]string{
		"0 2 * * * flock -n /l /opt/backup_data.sh >> /var/log/b 2>&1":                "backup_data 02:00 backup, verify: mapped",
		"0 2 * * * /opt/gone.sh > /l":                                                 "no-verb! missing no-lock",
		"30 3 * * 7 flock /l /usr/bin/vacuumdb -a > /l":                               "maintain Sunday 03:30 maintain: mapped",
		"0 3 1-7 * 0 flock /l /opt/tune.sh > /l":                                      "tune 0 3 1-7 * 0 tune: mapped either-day",
		"0 4 * * * find /var/log -name '*.log' -mtime +7 -delete > /l":                "logs 04:00 logs: old-logs mapped no-lock",
		"0 4 * * * find /b -name '*.tar.gz' -mtime +30 -exec rm {} + > /l":            "old-copies 04:00 verify: old-copies mapped no-lock",
		"0 4 * * * find /tmp -mtime +1 -delete > /l":                                  "no-removal! no-lock",
		"0 9 * * * flock /l /opt/health_check.sh | mail -s r a@example.com":           "health_check 09:00 check, report --day: no-mailer mapped",
		"0 9 * * * flock /l health_check > /l":                                        "check 09:00 check: mapped not-in-path",
		"0 9 * * * flock /l ./health_check.sh > /l":                                   "health_check 09:00 check: mapped relative",
		"0 9 * * * docker-compose exec celery check_status > /l":                      "check 09:00 check: mapped not-in-path terminal no-lock",
		"0 9 * * * flock /l /opt/backup_data.sh $(date +%F) > /l":                     "backup_data 09:00 backup, verify: percent no-shell mapped unheard",
		`0 9 * * * flock /l /opt/backup_data.sh $(date +\%F) > /l`:                    "backup_data 09:00 backup, verify: mapped",
		"0 9 * * * flock /l /opt/backup_data.sh":                                      "backup_data 09:00 backup, verify: mapped unheard",
		"@reboot /opt/backup_data.sh":                                                 "reboot!",
		"@daily flock /l /opt/backup_data.sh > /l":                                    "backup_data 00:00 backup, verify: mapped",
		"61 * * * * /opt/backup_data.sh":                                              "no-time!",
		"what is this":                                                                "no-line!",
		"* * * * * true":                                                              "nothing! unheard",
		"0 5 * * * apt-get -y upgrade > /l":                                           "no-update! not-in-path no-lock",
		"0 2 * * * nice -n 19 ionice -c 3 timeout 1h flock -n /l /opt/backup_data.sh": "backup_data 02:00 backup, verify: mapped unheard",
	} {
		c := read(line, "/opt/backup_data.sh", "/opt/tune.sh", "/opt/health_check.sh", "/usr/bin/vacuumdb", "/usr/bin/find")
		if got := told(c); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", line, got, want)
		}
	}
}

func TestVariablesNamesAndOverlaps(t *testing.T) {
	c := read("CRON_TZ=Asia/Shanghai\nPATH=/opt\nMAILTO=ops@example.com\n0 2 * * * backup\n0 */2 * * * backup\n15 2 * * * backup\n", "/opt/backup")
	if got := fmt.Sprint(c.Jobs[0].Name, c.Jobs[1].Name, c.Jobs[2].Name, c.Zone, c.Mail); got != "backupbackup-2backup-3Asia/Shanghai[ops@example.com]" {
		t.Error(got)
	}
	if got := told(c); strings.Count(got, "together") != 1 || strings.Contains(got, "not-in-path") || strings.Contains(got, "unheard") {
		t.Error(got)
	}
}

func TestNotesHaveWords(t *testing.T) {
	texts, err := catalogue.New(catalogue.Source{Prefix: "crontab", Text: crontab.Words()})
	if err == nil {
		err = texts.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	c := read("0 3 1-7 * 0 ./x%y | mail a@b.c\n@reboot x\n0 3 * * * /opt/security_check.sh\n")
	for _, n := range c.Said(texts.Words("zh")) {
		if n.Text == "" || strings.Contains(n.Text, n.ID) || strings.Contains(n.Text, "<no value>") {
			t.Errorf("%+v", n)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("0 2 * * * cd /x && ./b.sh | mail a@b\n")
	f.Add("MAILTO=\"\"\n@daily x %\n")
	f.Fuzz(func(_ *testing.T, text string) { read(text) })
}
