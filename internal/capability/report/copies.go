package report

import (
	"slices"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// table is one restore point, target by target: what was stored, what was read
// back, what was restored and found equal.
type table struct {
	Point     string
	Rows      []copyRow
	Bytes     string
	Age, Back string // of the whole point: measured by the drill that proved it, else empty
	Proven    bool
}

type copyRow struct {
	Target         string
	Size, Added    string
	Read, Restored cell
	Compared       string
	Age, Back      string
}

// cell is one judgement: its verdict, or none where nobody looked.
type cell struct {
	Severity service.Severity
	Words    string
}

// copies shows the point that this page's backup made, else the one that its
// drill or verify looked at. What they say of other points stays out of it.
func (t Text) copies(p Page) *table {
	sections := map[string]*Section{}
	point := ""
	for _, verb := range []string{"backup", "drill", "verify"} {
		s := p.find(verb)
		if s == nil {
			continue
		}
		if point == "" {
			point = s.Run.Point
		}
		if s.Run.Point == point && point != "" {
			sections[verb] = s
		}
	}
	if point == "" {
		return nil
	}
	return t.table(point, sections)
}

func (t Text) table(point string, sections map[string]*Section) *table {
	made := &table{Point: point}
	total := 0.0
	for _, name := range targetsOf(sections) {
		made.Rows = append(made.Rows, t.copyRow(name, sections))
		stored, _ := targetOf(sections["backup"], name)
		n, _ := number(stored.Facts["bytes"])
		total += n
	}
	if total > 0 {
		made.Bytes = t.Words.Bytes(int64(total))
	}
	if drill := sections["drill"]; drill != nil && drill.Run.Proof != nil {
		made.Proven = true
		made.Age, made.Back = t.Words.Duration(drill.Run.Proof.RPO), t.Words.Duration(drill.Run.Proof.RTO)
	}
	return made
}

func targetsOf(sections map[string]*Section) []string {
	var names []string
	for _, verb := range []string{"backup", "verify", "drill"} {
		if s := sections[verb]; s != nil {
			for _, target := range s.Run.Targets {
				if !slices.Contains(names, target.Target) && target.Kind != "" {
					names = append(names, target.Target)
				}
			}
		}
	}
	return names
}

func targetOf(s *Section, name string) (journal.Target, bool) {
	if s == nil {
		return journal.Target{}, false
	}
	i := slices.IndexFunc(s.Run.Targets, func(t journal.Target) bool { return t.Target == name })
	if i < 0 {
		return journal.Target{}, false
	}
	return s.Run.Targets[i], true
}

func (t Text) copyRow(name string, sections map[string]*Section) copyRow {
	row := copyRow{Target: name}
	if stored, ok := targetOf(sections["backup"], name); ok {
		row.Size, row.Added = t.size(stored, "bytes"), t.size(stored, "added_bytes")
	}
	if read, ok := targetOf(sections["verify"], name); ok {
		row.Read = t.judged(read, "read-"+string(read.Verdict))
		if row.Size == "" {
			row.Size = t.size(read, "bytes")
		}
	}
	drilled, ok := targetOf(sections["drill"], name)
	if !ok {
		return row
	}
	row.Restored = t.judged(drilled, "restored-"+string(drilled.Verdict))
	if drilled.Verdict == service.OK {
		row.Compared = t.compared(counts(drilled))
	}
	row.Age, row.Back = t.seconds(drilled, "rpo_s"), t.seconds(drilled, "rto_s")
	return row
}

func (t Text) judged(target journal.Target, id string) cell {
	return cell{target.Verdict, t.say(id, nil)}
}

func (t Text) size(target journal.Target, fact string) string {
	n, known := number(target.Facts[fact])
	if !known {
		return ""
	}
	return t.Words.Bytes(int64(n))
}

func (t Text) seconds(target journal.Target, fact string) string {
	n, known := number(target.Facts[fact])
	if !known {
		return ""
	}
	return t.say("duration", args{"s": n})
}
