package hostfiles

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// unitUser is whom the package makes.
const unitUser = "upkeep"

// setting is one line of a unit; why is the message with its reason, where it needs one. Without
// a key it is the reason alone.
type setting struct{ key, value, why string }

// Unit is the systemd unit of upkeep serve: shut in, but for what its targets need, each with its
// reason. A restore needs more and is for a person to run.
func (s System) Unit() []File {
	u := unit{System: s, reach: s.reach()}
	return []File{{Path: "/etc/systemd/system/upkeep.service", Text: u.text()}}
}

// reach sums up what all targets need, with absolute paths that hold no pattern.
func (s System) reach() (all service.Reach) {
	for _, declared := range s.Config.Services {
		one := declared.Reach()
		for _, path := range one.Reads {
			all.Reads = append(all.Reads, s.fixed(path))
		}
		for _, path := range one.Writes {
			all.Writes = append(all.Writes, s.fixed(path))
		}
		if one.Socket != "" {
			all.Socket = one.Socket
		}
		all.Processes = all.Processes || one.Processes
		all.Signals = all.Signals || one.Signals
		all.Disks = all.Disks || one.Disks
	}
	return all
}

// fixed is a path up to the first part with a pattern in it.
func (s System) fixed(path string) string {
	path = s.Config.Resolve(path)
	if i := strings.IndexAny(path, "*?[{"); i >= 0 {
		return filepath.Dir(path[:i] + "x")
	}
	return path
}

type unit struct {
	System
	reach service.Reach
}

func (u unit) text() string {
	l := u.lines()
	l.comment("unit-head", service.Args{"state": u.State, "repository": u.Repository, "user": unitUser})
	for _, section := range []struct {
		name     string
		settings []setting
	}{
		{"Unit", u.about()},
		{"Service", slices.Concat(u.life(), u.rights(), u.places(), u.shutIn())},
		{"Install", []setting{{"WantedBy", "multi-user.target", ""}}},
	} {
		fmt.Fprintf(l, "\n[%s]\n", section.name)
		for _, s := range section.settings {
			l.setting(s)
		}
	}
	return l.String()
}

func (l *lines) setting(s setting) {
	if s.why != "" {
		l.comment(s.why, nil)
	}
	if s.key != "" {
		fmt.Fprintf(l, "%s=%s\n", s.key, s.value)
	}
}

func (u unit) about() []setting {
	after := "network-online.target"
	if u.reach.Socket != "" {
		after += " docker.service"
	}
	return []setting{
		{"Description", "upkeep: " + escaped(u.Config.System), ""},
		{"Documentation", "man:upkeep-serve(1)", ""},
		{"Wants", "network-online.target", ""},
		{"After", after, ""},
		{"AssertPathExists", escaped(u.Declaration), ""},
	}
}

func (u unit) life() []setting {
	return []setting{
		{"Type", "notify", ""},
		{"ExecStart", fmt.Sprintf("%s serve -f %s", quoted(u.Program), quoted(u.Declaration)), ""},
		{"ExecReload", "/bin/kill -HUP $MAINPID", ""},
		{"Restart", "on-failure", ""},
		{"RestartSec", "5s", ""},
		{"RestartPreventExitStatus", "2", "exit"},
		{"Environment", "GOTRACEBACK=crash", "crash"},
		{"LimitCORE", "0", ""},
		{"WatchdogSec", "60s", "watchdog"},
		{"TimeoutStartSec", "5min", "start"},
		{"TimeoutStopSec", "15s", "stop"},
		{"KillMode", "process", "kill"},
	}
}

// rights are the user, and what its targets need beyond a user's rights.
func (u unit) rights() []setting {
	all := []setting{{"User", unitUser, ""}, {"Group", unitUser, ""}}
	if u.reach.Socket != "" {
		all = append(all, setting{"SupplementaryGroups", "docker", "socket"})
	}
	return append(all, u.capabilities()...)
}

// capabilities are rights of root's that some target needs, each with the reason before them.
func (u unit) capabilities() (all []setting) {
	var names []string
	for _, right := range []struct {
		needed    bool
		name, why string
	}{
		{len(u.reach.Reads) > 0, "CAP_DAC_READ_SEARCH", "reads"},
		{u.reach.Processes, "CAP_SYS_PTRACE", "processes"},
		{u.reach.Signals, "CAP_KILL", "signals"},
	} {
		if right.needed {
			names, all = append(names, right.name), append(all, setting{why: right.why})
		}
	}
	if len(names) == 0 {
		all = []setting{{why: "no-rights"}}
	}
	some := strings.Join(names, " ")
	return append(all, setting{"CapabilityBoundingSet", some, ""}, setting{"AmbientCapabilities", some, ""})
}

// places are where it may write, and what it sees.
func (u unit) places() []setting {
	all := []setting{{"UMask", "0077", ""}}
	writes := u.writes()
	if u.State == u.Home {
		all = append(all, setting{"StateDirectory", "upkeep", ""}, setting{"StateDirectoryMode", "0700", ""})
	}
	all = append(all, setting{"ProtectSystem", "strict", "writes"})
	if len(writes) > 0 {
		all = append(all, setting{"ReadWritePaths", strings.Join(writes, " "), ""})
	}
	if u.reach.Disks || u.inHome() {
		all = append(all, setting{"ProtectHome", "read-only", "in-home"})
	} else {
		all = append(all, setting{"ProtectHome", "yes", ""})
	}
	if u.sharesScratch() {
		return append(all, setting{"PrivateTmp", "no", "scratch"})
	}
	return append(all, setting{"PrivateTmp", "yes", ""})
}

// sharesScratch says that an engine mounts directories of /var/tmp into containers, where it
// cannot see a private one.
func (u unit) sharesScratch() bool { return u.reach.Socket != "" && u.Config.Scratch.Dir == "" }

// writes are the paths for ReadWritePaths. One that may not exist yet has a dash before it.
func (u unit) writes() []string {
	var all []string
	add := func(mark string, paths ...string) {
		for _, path := range paths {
			if written := quoted(mark + path); path != "" && !within(path, u.Home) && !slices.Contains(all, written) {
				all = append(all, written)
			}
		}
	}
	add("", u.State, u.Repository, u.Config.Scratch.Dir)
	add("-", u.reach.Writes...)
	if u.sharesScratch() {
		add("", "/var/tmp")
	}
	return all
}

// inHome says that something which is read lies where ProtectHome=yes would hide it.
func (u unit) inHome() bool {
	paths := append(slices.Concat(u.reach.Reads, u.writes()), u.Declaration, u.State, u.Repository, u.reach.Socket)
	return slices.ContainsFunc(paths, func(path string) bool {
		return slices.ContainsFunc([]string{"/home", "/root", "/run/user"}, func(dir string) bool { return within(path, dir) })
	})
}

func within(path, dir string) bool {
	path = strings.TrimLeft(path, `-"`)
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// prints says that some job makes a PDF.
func (u unit) prints() bool {
	for _, job := range u.Config.Jobs {
		if slices.ContainsFunc(job.Do, func(verb string) bool { return strings.Contains(verb, "pdf") }) {
			return true
		}
	}
	return false
}

// shutIn is what no target needs.
func (u unit) shutIn() []setting {
	namespaces := setting{"RestrictNamespaces", "yes", ""}
	if u.prints() {
		namespaces = setting{"RestrictNamespaces", "user pid net", "namespaces"}
	}
	return []setting{
		namespaces,
		{"NoNewPrivileges", "yes", ""},
		{"PrivateDevices", "yes", ""},
		{"ProtectKernelTunables", "yes", ""},
		{"ProtectKernelModules", "yes", ""},
		{"ProtectKernelLogs", "yes", ""},
		{"ProtectControlGroups", "yes", ""},
		{"ProtectClock", "yes", ""},
		{"ProtectHostname", "yes", ""},
		{"RestrictRealtime", "yes", ""},
		{"RestrictSUIDSGID", "yes", ""},
		{"LockPersonality", "yes", ""},
		{"RemoveIPC", "yes", ""},
		{"KeyringMode", "private", ""},
		{"RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK", "families"},
		{"SystemCallArchitectures", "native", ""},
		{"SystemCallFilter", "@system-service", "calls"},
		{"SystemCallFilter", "~@resources", ""},
		{"SystemCallErrorNumber", "EPERM", ""},
	}
}

// escaped keeps a value from being read as one of systemd's specifiers.
func escaped(value string) string { return strings.ReplaceAll(value, "%", "%%") }

// quoted is a word of a list or a command line.
func quoted(word string) string {
	word = escaped(word)
	if !strings.ContainsAny(word, " \t\"'\\;$") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$").Replace(word) + `"`
}
