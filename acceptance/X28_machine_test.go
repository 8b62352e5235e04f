package acceptance

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"upkeep/lab"
)

// served is a machine on which the package is installed and its unit runs.
type served struct {
	*testing.T
	machine lab.VM
}

// declared of the machine: what is due at times that the test will set, and copies of data that
// take a while and are proven in the confines of the unit.
const declared = `system: machine
services:
  data: {kind: files, paths: [/srv/data]}
  db: {kind: postgres, url: "postgres://shop@127.0.0.1:5432/shop", password: file:password}
jobs:
  minutely: {at: "* * * * *", do: ["report --day"]}
  quarters: {at: every 6h, do: ["report --day"], missed: all}
  nightly: {at: "02:30", do: ["report --day"]}
  copies: {at: "21:30", do: [backup, drill], missed: none}
`

// TestX28_Machine installs the package in a machine where systemd is the first process, sets its
// clock, cuts its power, and looks at what the journal says afterwards. It runs beside the scripts:
// an emulated machine mostly waits, for itself.
func TestX28_Machine(t *testing.T) {
	t.Parallel()
	m := served{t, lab.Machine(t)}
	m.install()
	t.Run("unit", func(t *testing.T) { served{t, m.machine}.confined() })
	t.Run("reload", func(t *testing.T) { served{t, m.machine}.reloaded() })
	t.Run("clock", func(t *testing.T) { served{t, m.machine}.clockSet() })
	t.Run("power", func(t *testing.T) { served{t, m.machine}.powerCut() })
	t.Run("watchdog", func(t *testing.T) { served{t, m.machine}.hung() })
	t.Run("stop", func(t *testing.T) { served{t, m.machine}.stopped() })
}

// do runs a script in the machine.
func (m served) do(format string, args ...any) string {
	m.Helper()
	said, err := m.machine.Run(m.Context(), fmt.Sprintf(format, args...))
	if err != nil {
		m.Fatal(err)
	}
	return said
}

// upkeep runs the program as its user, for JSON.
func (m served) upkeep(args string) gjson.Result {
	m.Helper()
	return gjson.Parse(m.do("runuser -u upkeep -- upkeep %s --json", args))
}

// until waits for something that an emulated machine takes a while for, and longer beside others.
func (m served) until(what string, holds func() bool) {
	m.Helper()
	for end := time.Now().Add(10 * time.Minute); !holds(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			m.Fatalf("in ten minutes: not %s\n%s\n%s", what, m.do("journalctl -u upkeep -n 40 --no-pager"), m.upkeep("runs").Raw)
		}
	}
}

func (m served) install() {
	dist := m.TempDir()
	program, err := exec.LookPath("upkeep")
	must(m.T, err)
	ran(m.T, "..", []string{"PROGRAM=" + program}, "packaging/release", release, dist, "program", "notice", "sbom", "package")
	must(m.T, m.machine.Put(m.Context(), filepath.Join(dist, "upkeep_0.0.0~acceptance_amd64.deb"), "/root/upkeep.deb"))
	m.do("test $(cat /proc/1/comm) = systemd; date -s '2026-11-20 12:00:50'; dpkg -i /root/upkeep.deb; mkdir /srv/data; echo a > /srv/data/a")
	m.do("cd /; echo secret > /etc/upkeep/password; chgrp upkeep /etc/upkeep/password; chmod 640 /etc/upkeep/password; su postgres -c psql <<'END'\n%s\nEND",
		"create role shop login superuser password 'secret'; create database shop; \\c shop\ncreate table orders as select * from generate_series(1, 1000)")
	m.do("cat > /etc/upkeep/upkeep.yaml <<'END'\n%sEND\nsystemctl enable --now upkeep", declared)
}

// confined looks at the process itself: whose it is, and what the kernel refuses it.
func (m served) confined() {
	if got := m.show("Type", "ActiveState", "SubState"); got != "notify active running" {
		m.Errorf("the unit is %s", got)
	}
	status := m.do("grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$(systemctl show -p MainPID --value upkeep)/status; id -u upkeep")
	fields := strings.Fields(status)
	uid := fields[len(fields)-1]
	for _, want := range []string{"Uid: " + uid, "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} {
		if !strings.Contains(strings.Join(fields, " "), want) {
			m.Errorf("the process has not %s:\n%s", want, status)
		}
	}
	m.do("systemd-analyze security --no-pager --threshold=18 upkeep")
}

func (m served) show(properties ...string) string {
	m.Helper()
	values := []string{}
	for _, p := range properties {
		values = append(values, m.do("systemctl show -p %s --value upkeep", p))
	}
	return strings.Join(values, " ")
}

// reloaded gives it a declaration that is wrong, and then the right one with another job.
func (m served) reloaded() {
	before := m.show("MainPID")
	m.do("cd /etc/upkeep; cp upkeep.yaml right; echo 'jobs: 7' >> upkeep.yaml; systemctl reload upkeep")
	m.until("refused", func() bool { return m.logged("declaration refused") })
	m.do("cd /etc/upkeep; sed 's/02:30/02:31/' right > upkeep.yaml; systemctl reload upkeep")
	m.until("taken", func() bool { return m.logged("declaration taken anew") })
	if after := m.show("MainPID", "ActiveState"); after != before+" active" {
		m.Errorf("process %s is now %s", before, after)
	}
}

func (m served) logged(text string) bool {
	m.Helper()
	return m.do("journalctl -u upkeep -o cat --no-pager | grep -c '%s' || true", text) != "0"
}

// clockSet puts the clock forward by a day, back by a day, and forward again: each turn that had to
// run has run, and none has run twice.
func (m served) clockSet() {
	m.until("a turn run", func() bool { return m.ended("minutely") > 0 })
	m.set("2026-11-21 12:00:57")
	if said := m.upkeep("check").Raw; !strings.Contains(said, "upkeep.no-copy") || strings.Contains(said, "upkeep.serve-silent") {
		m.Errorf("after the clock was set it says of itself: %s", said)
	}
	m.until("one day of quarters and the night made up for", func() bool { return m.ended("quarters") == 4 && m.ended("nightly") == 1 })

	m.set("2026-11-20 17:59:57")
	before := m.ended("minutely")
	m.until("a turn run after the clock went back", func() bool { return m.ended("minutely") > before })
	m.undoubled(4)

	m.set("2026-11-21 17:59:57")
	m.until("the next quarter run", func() bool { return m.ended("quarters") == 5 })
	m.undoubled(5)
	if got := m.ended("nightly"); got != 1 {
		m.Errorf("the night has %d turns that were run", got)
	}
}

func (m served) set(clock string) {
	m.Helper()
	m.do("date -s '%s'", clock)
}

// ended counts the turns of a job that were run.
func (m served) ended(job string) (n int) {
	m.Helper()
	for _, e := range m.events() {
		if e.Get("name").String() == job && e.Get("state").String() == "ended" {
			n++
		}
	}
	return n
}

func (m served) events() []gjson.Result {
	m.Helper()
	return m.upkeep("calendar --from 2026-11-20 --to 2026-11-24").Get(`events.#(state!="")#`).Array()
}

// undoubled wants every run of a job to be well and that of one turn, and so many of quarters.
func (m served) undoubled(quarters int) {
	m.Helper()
	turns := map[string]int{}
	for _, e := range m.events() {
		turns[e.Get("run").String()]++
	}
	runs := m.upkeep("runs --limit 500").Get(`runs.#(verb=="run")#`).Array()
	if len(runs) == 0 {
		m.Error("no job was run")
	}
	for _, run := range runs {
		if n := turns[run.Get("run").String()]; n != 1 || run.Get("exit_code").Raw != "0" {
			m.Errorf("the run of %d turns: %s", n, run.Raw)
		}
	}
	if got := m.ended("quarters"); got != quarters {
		m.Errorf("%d turns of quarters were run, want %d", got, quarters)
	}
}

// powerCut takes the power away while a copy is taken: after the boot systemd starts upkeep, which
// goes on with the job under its run, takes the copy and proves it.
func (m served) powerCut() {
	m.do("head -c 60M /dev/urandom > /srv/data/big; sync; date -s '2026-11-21 21:29:57'")
	m.until("a copy begun", func() bool { return m.logged("password was made") })
	begun := m.do("journalctl -u upkeep -o cat > log; if grep -F -e $(cat /var/lib/upkeep/copies.password) -e 'job ended job=copies' log; then exit 1; fi; grep 'job begins job=copies' log")
	must(m.T, m.machine.Kill())
	must(m.T, m.machine.Start(m.Context()))
	m.until("the job ended after the boot", func() bool { return m.logged("job ended job=copies") })
	if got := m.turn("copies"); !strings.Contains(begun, "run="+got.Get("run").String()+" ") || got.Get("state").String() != "ended" {
		m.Errorf("the turn that began as %q is %s", begun, got.Raw)
	}
	point := m.upkeep("points").Get("points.#(complete==true)#").Array()
	if len(point) != 1 || point[0].Get("proven").String() == "" {
		m.Fatalf("the points are %v:\n%s", point, m.do("journalctl -u upkeep -o cat --no-pager; ls -la /var/lib/upkeep/copies"))
	}
	m.upkeep("verify " + point[0].Get("id").String())
	m.upkeep("audit-log verify")
}

func (m served) turn(job string) gjson.Result {
	m.Helper()
	events := m.events()
	at := slices.IndexFunc(events, func(e gjson.Result) bool { return e.Get("name").String() == job && e.Get("run").Exists() })
	if at < 0 {
		m.Fatalf("no turn of %s was run", job)
	}
	return events[at]
}

// hung stops the process without ending it: systemd notices and starts another.
func (m served) hung() {
	m.do("mkdir -p /etc/systemd/system/upkeep.service.d; printf '[Service]\nWatchdogSec=6s\n' > /etc/systemd/system/upkeep.service.d/soon.conf; systemctl daemon-reload; systemctl restart upkeep")
	before := m.show("MainPID")
	m.do("sleep 9; systemctl is-active upkeep; kill -STOP %s", before)
	m.until("another process", func() bool {
		return m.show("NRestarts") == "1" && m.show("ActiveState", "SubState") == "active running" && m.show("MainPID") != before
	})
	if !m.logged("Watchdog timeout") {
		m.Error("systemd does not say why")
	}
}

// stopped wants an end in good order within ten seconds, and nothing left of it.
func (m served) stopped() {
	m.do("timeout 10 systemctl stop upkeep")
	if got := m.show("ActiveState", "Result"); got != "inactive success" {
		m.Errorf("it ended %s", got)
	}
	if got := m.do("pgrep -u upkeep -a || true"); got != "" {
		m.Errorf("it left %s", got)
	}
}
