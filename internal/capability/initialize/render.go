package initialize

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"

	"upkeep/internal/service"
)

// target is one entry under services:.
type target struct {
	name, kind string
	title      string // where the name had to differ from the service's
	about      []service.Message
	keys       yaml.MapSlice // of the kind
	after      []string
	runsIn     string // TARGET/SERVICE; empty = a program of the machine
	address    string // host:port to try; empty = none
}

// yamlOptions make lists stand below their key, as people write them.
func yamlOptions() []yaml.EncodeOption {
	return []yaml.EncodeOption{yaml.Indent(2), yaml.IndentSequence(true)}
}

// page is a declaration in the making.
type page struct {
	bytes.Buffer
	say func(service.Message) string
}

// render writes the declaration with the reasons for each guess.
func (s *survey) render() ([]byte, error) {
	p := &page{say: func(m service.Message) string { return s.opt.Words.Message(m.ID, m.Args) }}
	p.comment(0, s.head, message("head-read", nil))
	err := p.block(0, yaml.MapSlice{{Key: "system", Value: s.system}, {Key: "language", Value: s.opt.Words.Lang()}})
	if err != nil {
		return nil, err
	}
	p.WriteString("services:\n")
	for _, t := range s.targets {
		p.comment(2, t.about...)
		if err := p.block(2, yaml.MapSlice{{Key: t.name, Value: t.body()}}); err != nil {
			return nil, err
		}
	}
	p.comment(2, s.left...)
	p.WriteByte('\n')
	copied := s.offered("backup")
	if copied {
		p.comment(0, message("repository", service.Args{"dir": s.opt.StateDir}))
		p.WriteString("# repository:\n#   path: /srv/upkeep\n#   password: file:secrets/repository\n")
		p.WriteString("keep:\n  last: 3\n  daily: 7\n  weekly: 4\n  monthly: 12\n  never_below_proven: 1\n\n")
	}
	p.comment(0, message("jobs", nil))
	err = p.block(0, yaml.MapSlice{{Key: "jobs", Value: jobs(copied)}})
	return p.Bytes(), err
}

// offered reports whether any target can do something.
func (s *survey) offered(capability string) bool {
	for _, t := range s.targets {
		if kind, ok := s.opt.Kinds.Lookup(t.kind); ok && kind.Offers(capability) {
			return true
		}
	}
	return false
}

func jobs(copied bool) yaml.MapSlice {
	daily := []string{"check", "report"}
	if copied {
		daily = []string{"check", "backup", "verify", "drill", "report"}
	}
	return yaml.MapSlice{
		{Key: "daily", Value: yaml.MapSlice{{Key: "at", Value: "02:00"}, {Key: "do", Value: daily}}},
		{Key: "weekly", Value: yaml.MapSlice{{Key: "at", Value: "Sunday 07:00"}, {Key: "do", Value: []string{"check", "report --week"}}}},
	}
}

func (t target) body() yaml.MapSlice {
	body := yaml.MapSlice{{Key: "kind", Value: t.kind}}
	if t.title != "" {
		body = append(body, yaml.MapItem{Key: "title", Value: t.title})
	}
	body = append(body, t.keys...)
	if t.runsIn != "" {
		body = append(body, yaml.MapItem{Key: "runs_in", Value: t.runsIn})
	}
	if len(t.after) > 0 {
		body = append(body, yaml.MapItem{Key: "after", Value: t.after})
	}
	return body
}

// comment writes messages, each on lines of its own. Names and images come from
// files that anybody may have written: nothing in them may end the comment.
func (p *page) comment(indent int, messages ...service.Message) {
	for _, m := range messages {
		for line := range strings.SplitSeq(p.say(m), "\n") {
			fmt.Fprintf(p, "%s# %s\n", strings.Repeat(" ", indent), oneLine(line))
		}
	}
}

func oneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\uFEFF' || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text))
}

func (p *page) block(indent int, value yaml.MapSlice) error {
	written, err := yaml.MarshalWithOptions(value, yamlOptions()...)
	if err != nil {
		return fmt.Errorf("write the declaration: %w", err)
	}
	for line := range strings.Lines(string(written)) {
		p.WriteString(strings.Repeat(" ", indent) + line)
	}
	return nil
}
