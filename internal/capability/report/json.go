package report

import (
	"encoding/json"
	"io"
	"time"

	"upkeep/internal/service"
)

type pageJSON struct {
	System   string        `json:"system"`
	Title    string        `json:"title"`
	At       string        `json:"at"`
	Sentence string        `json:"sentence"`
	Sections []sectionJSON `json:"sections"`
}

type sectionJSON struct {
	Verb    string     `json:"verb"`
	Run     string     `json:"run"`
	Skipped bool       `json:"skipped"`
	Took    float64    `json:"took_s"`
	Summary string     `json:"summary"`
	Lines   []lineJSON `json:"lines"`
}

type lineJSON struct {
	Target   string           `json:"target"`
	Severity service.Severity `json:"severity"`
	Title    string           `json:"title"`
	Fix      string           `json:"fix"`
}

func (t Text) json(out io.Writer, p Page) error {
	v := pageJSON{System: p.System, Title: p.Title, At: p.At.Format(time.RFC3339), Sentence: t.Sentence(p), Sections: []sectionJSON{}}
	for _, s := range p.Sections {
		section := sectionJSON{Verb: s.Verb, Run: s.Run.ID, Skipped: s.Skipped, Took: s.Took.Seconds(), Summary: t.Summary(p, s), Lines: []lineJSON{}}
		for _, l := range s.Lines {
			title, fix, _ := t.words(l)
			section.Lines = append(section.Lines, lineJSON{l.Target, l.Severity, title, fix})
		}
		v.Sections = append(v.Sections, section)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
