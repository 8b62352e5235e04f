package series

import (
	"math"
	"strings"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"go.yaml.in/yaml/v3"
)

// ruleKey names a rule that is evaluated, by its place in the group.
type ruleKey struct {
	file  string
	group string
	place int
}

// position is where the expression of a rule begins, and the file's lines after that.
type position struct {
	line, column int
	lines        []string
}

// of finds a word of the expression in the file.
func (p position) of(word string) (line, column int) {
	for i, l := range p.lines {
		from := 0
		if i == 0 {
			from = min(max(p.column-1, 0), len(l))
		}
		if at := strings.Index(l[from:], word); at >= 0 {
			return p.line + i, from + at + 1
		}
	}
	return p.line, p.column
}

// positions are those of every rule of this load.
func (l *loader) positions() map[ruleKey]position {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[ruleKey]position{}
	for file, now := range l.inForce {
		var nodes struct{ Groups []rulefmt.RuleGroupNode }
		if yaml.Unmarshal(now.text, &nodes) != nil {
			continue // was refused as a whole
		}
		lines := strings.Split(string(now.text), "\n")
		for _, g := range nodes.Groups {
			place := 0
			for number, r := range g.Rules {
				if !now.left[ruleNumber{g.Name, number}] {
					all[ruleKey{file, g.Name, place}] = where(r.Expr, lines)
					place++
				}
			}
		}
	}
	return all
}

// where an expression is: of a block, below its mark.
func where(e yaml.Node, lines []string) position {
	p := position{line: e.Line, column: e.Column}
	if p.line < 1 || p.line > len(lines) {
		return p
	}
	last := min(p.line+strings.Count(e.Value, "\n")+1, len(lines))
	p.lines = lines[p.line-1 : last]
	return p
}

func recorded(r rules.Rule) bool {
	_, ok := r.(*rules.RecordingRule)
	return ok
}

// recent reads the samples that are not yet in a block.
func (s *Store) recent() (storage.Querier, error) {
	p, done := s.samples.lend()
	defer done()
	return s.samples.Querier(max(p.head().MinTime(), 0), math.MaxInt64/2)
}
