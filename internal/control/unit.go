package control

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/service"
)

//go:embed unit.yaml
var unitText []byte

// File is something to put in a place of another tool's.
type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// unitUser is whom the package makes. machineState is its home.
const unitUser = "upkeep"

// setting is one line of a unit; why is the message with its reason, where it needs one. Without
// a key it is the reason alone.
type setting struct{ key, value, why string }

// ServeUnit is the systemd unit of upkeep serve for this system: shut in, but for what its
// targets need, each with its reason. A restore needs more and is for a person to run.
func (a *App) ServeUnit(program string) ([]File, error) {
	declaration, err := filepath.Abs(a.Config.File)
	if err != nil {
		return nil, fmt.Errorf("find the declaration: %w", err)
	}
	u := unit{app: a, reach: a.reach(), declaration: declaration, program: program}
	return []File{{Path: "/etc/systemd/system/upkeep.service", Text: u.text()}}, nil
}

// reach sums up what all targets need, with absolute paths that hold no pattern.
func (a *App) reach() (all service.Reach) {
	for _, s := range a.Config.Services {
		one := s.Reach()
		for _, path := range one.Reads {
			all.Reads = append(all.Reads, a.fixed(path))
		}
		for _, path := range one.Writes {
			all.Writes = append(all.Writes, a.fixed(path))
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
func (a *App) fixed(path string) string {
	path = a.Config.Resolve(path)
	if i := strings.IndexAny(path, "*?[{"); i >= 0 {
		return filepath.Dir(path[:i] + "x")
	}
	return path
}

type unit struct {
	app         *App
	reach       service.Reach
	declaration string
	program     string
}

func (u unit) text() string {
	var b strings.Builder
	b.WriteString(u.comment("unit.head", service.Args{"state": u.state(), "repository": u.repository(), "user": unitUser}))
	for _, section := range []struct {
		name     string
		settings []setting
	}{
		{"Unit", u.about()},
		{"Service", slices.Concat(u.life(), u.rights(), u.places(), u.shutIn())},
		{"Install", []setting{{"WantedBy", "multi-user.target", ""}}},
	} {
		fmt.Fprintf(&b, "\n[%s]\n", section.name)
		for _, s := range section.settings {
			if s.why != "" {
				b.WriteString(u.comment("unit."+s.why, nil))
			}
			if s.key != "" {
				fmt.Fprintf(&b, "%s=%s\n", s.key, s.value)
			}
		}
	}
	return b.String()
}

// comment is a message, each of its lines behind a #.
func (u unit) comment(id string, args service.Args) string {
	said := strings.TrimSpace(u.app.opt.Words.Message(id, args))
	return "# " + strings.ReplaceAll(said, "\n", "\n# ") + "\n"
}

func (u unit) about() []setting {
	after := "network-online.target"
	if u.reach.Socket != "" {
		after += " docker.service"
	}
	return []setting{
		{"Description", "upkeep: " + escaped(u.app.Config.System), ""},
		{"Documentation", "man:upkeep-serve(1)", ""},
		{"Wants", "network-online.target", ""},
		{"After", after, ""},
		{"AssertPathExists", escaped(u.declaration), ""},
	}
}

func (u unit) life() []setting {
	return []setting{
		{"Type", "notify", ""},
		{"ExecStart", fmt.Sprintf("%s serve -f %s", quoted(u.program), quoted(u.declaration)), ""},
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

func (u unit) state() string {
	if u.app.Config.State == "" {
		return machineState
	}
	return u.app.stateDir
}

// places are where it may write, and what it sees.
func (u unit) places() []setting {
	all := []setting{{"UMask", "0077", ""}}
	writes := u.writes()
	if u.state() == machineState {
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
func (u unit) sharesScratch() bool { return u.reach.Socket != "" && u.app.Config.Scratch.Dir == "" }

// writes are the paths for ReadWritePaths. One that may not exist yet has a dash before it.
func (u unit) writes() []string {
	var all []string
	add := func(mark string, paths ...string) {
		for _, path := range paths {
			if written := quoted(mark + path); path != "" && !within(path, machineState) && !slices.Contains(all, written) {
				all = append(all, written)
			}
		}
	}
	add("", u.state(), u.repository(), u.app.Config.Scratch.Dir)
	add("-", u.reach.Writes...)
	if u.sharesScratch() {
		add("", "/var/tmp")
	}
	return all
}

// repository is where copies lie when the unit runs.
func (u unit) repository() string {
	if u.app.Config.Repository.Path == "" {
		return "" // below the state
	}
	return u.app.RepositoryPath()
}

// inHome says that something which is read lies where ProtectHome=yes would hide it.
func (u unit) inHome() bool {
	paths := append(slices.Concat(u.reach.Reads, u.writes()), u.declaration, u.state(), u.repository(), u.reach.Socket)
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
	for _, job := range u.app.Config.Jobs {
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
