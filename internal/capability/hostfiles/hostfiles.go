// Package hostfiles makes files for the tools that a machine comes with, of what is declared: a unit
// and timers for systemd, lines for cron, rotation for logrotate. What such a tool cannot say stands in
// its file as a comment, with the reason.
package hostfiles

import (
	_ "embed"
	"strings"

	"upkeep/internal/catalogue"
	"upkeep/internal/config"
	"upkeep/internal/service"
)

//go:embed text.yaml
var words []byte

// Words are the comments of the files.
func Words() []byte { return words }

// File is something to put in a place of another tool's.
type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// System is what the files are made of. Its paths are absolute.
type System struct {
	Config      *config.Config
	Words       catalogue.Words // of the comments
	Declaration string          // the file that Config was read from
	Home        string          // of the user whom the package makes
	State       string          // where the state of a service lies
	Repository  string          // of copies; empty where it lies below the state
	Program     string          // upkeep itself
}

func (s System) lines() *lines { return &lines{words: s.Words} }

// lines is a file for another tool.
type lines struct {
	strings.Builder
	words catalogue.Words
}

// comment writes a message as comment lines.
func (l *lines) comment(id string, args service.Args) {
	for line := range strings.SplitSeq(strings.TrimSpace(l.words.Message("hostfiles."+id, args)), "\n") {
		l.WriteString("# " + strings.TrimSpace(line) + "\n")
	}
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
		l.comment("either", service.Args{"job": name, "warning": l.words.Sprintf(p.Format, p.Args...)})
	}
	return !j.At.IsZero()
}
