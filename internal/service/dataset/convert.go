package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// conversion is what a step of opConvert needs: one table of an agreement is written anew
// from the other.
type conversion struct {
	Copy  string `json:"copy"`           // the agreement
	Back  bool   `json:"back,omitempty"` // the source from the copy
	Onto  seen   `json:"onto"`           // the file that is written; without a state where there is none
	From  []seen `json:"from"`
	Tally tally  `json:"tally"`
}

// anew reports whether there was no file.
func (c conversion) anew() bool { return c.Onto.state == state{} }

// tally is what becomes of the rows.
type tally struct {
	In      int64            `json:"in"`      // rows of the table that is read
	Before  int64            `json:"before"`  // rows of the one that is written
	New     int64            `json:"new"`     // of them that it lacked
	Changed int64            `json:"changed"` // with another value
	Alone   int64            `json:"alone"`   // only in the table that is written: dropped of a copy, kept in a source
	Doubled int64            `json:"doubled"` // dropped, because a later row has their key
	After   int64            `json:"after"`
	Fields  map[string]int64 `json:"fields,omitempty"` // changed values by column
	Unread  bool             `json:"unread,omitempty"` // the file that is written anew cannot be read
}

// due reports whether anything is to be written.
func (t tally) due(back bool) bool {
	return t.New+t.Changed+t.Doubled > 0 || t.Alone > 0 && !back || t.Unread
}

// planConvert lists a step for every copy that is not what its source gives, or for the
// table that somebody named.
func (in *Instance) planConvert(ctx context.Context, w service.Work) ([]service.Step, error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	meant, err := in.meant(cfg, w.To)
	if err != nil {
		return nil, err
	}
	steps := []service.Step{}
	for _, c := range meant {
		own, err := in.planOne(ctx, cfg, c, w.To != "")
		if err != nil {
			return nil, err
		}
		steps = append(steps, own...)
	}
	return steps, nil
}

// meant are the conversions that somebody asks for: of every copy, or of the table named.
func (in *Instance) meant(cfg Config, to string) (all []conversion, err error) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Copies)) {
		a := cfg.Copies[name]
		switch to {
		case "", a.Copy:
			all = append(all, conversion{Copy: name})
		case a.Source:
			all = append(all, conversion{Copy: name, Back: true})
		}
	}
	switch {
	case len(all) == 0 && to == "":
		return nil, in.unconverted("no-copies", nil)
	case len(all) == 0:
		return nil, in.unconverted("no-such-copy", service.Args{"table": to, "tables": convertible(cfg)})
	case to != "" && len(all) > 1:
		return nil, in.unconverted("several", service.Args{"table": to})
	}
	return all, nil
}

// convertible are the tables that --to may name.
func convertible(cfg Config) (names []string) {
	for _, a := range cfg.Copies {
		names = append(names, a.Copy, a.Source)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// planOne is the step of one conversion. Rows are dropped of a copy whose source has lost
// rows only where somebody has named the copy.
func (in *Instance) planOne(ctx context.Context, cfg Config, c conversion, named bool) ([]service.Step, error) {
	if err := in.survey(cfg, &c); err != nil {
		return nil, err
	}
	if err := in.allowed(cfg, c); err != nil {
		return nil, err
	}
	err := in.convertingAt(ctx, c, how{}, func(m *maker) (err error) {
		if c.Tally, err = m.tally(ctx); err != nil {
			return err
		}
		if !c.Tally.due(c.Back) {
			return m.agrees(ctx, c)
		}
		if c.Tally.Alone > 0 && !named {
			return m.whole(ctx)
		}
		return nil
	})
	if err != nil || !c.Tally.due(c.Back) {
		return nil, in.moved(err, c)
	}
	from, onto := cfg.Copies[c.Copy].ends(c.Back)
	return []service.Step{step(opConvert, service.Reversible, onto, c, service.Message{ID: opConvert, Args: c.said(from, onto)})}, nil
}

// ends are the tables that are read and written.
func (a Agreement) ends(back bool) (from, onto string) {
	if back {
		return a.Copy, a.Source
	}
	return a.Source, a.Copy
}

// said are the arguments of the title of a step.
func (c conversion) said(from, onto string) service.Args {
	t := c.Tally
	return service.Args{"from": from, "table": onto, "path": c.Onto.Path, "back": c.Back, "anew": c.anew(), "unread": t.Unread, "in": t.In, "before": t.Before,
		"new": t.New, "changed": t.Changed, "fields": t.fields(), "alone": t.Alone, "doubled": t.Doubled, "after": t.After}
}

// mostFields is how many columns a title names.
const mostFields = 6

// fields are the changed columns, those with most changes first: "success 3".
func (t tally) fields() []string {
	texts := []string{}
	names := slices.SortedFunc(maps.Keys(t.Fields), func(a, b string) int {
		if t.Fields[a] != t.Fields[b] {
			return int(t.Fields[b] - t.Fields[a])
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		if i == mostFields {
			return append(texts, "…")
		}
		texts = append(texts, fmt.Sprintf("%s %d", name, t.Fields[name]))
	}
	return texts
}

// survey looks at the files of both tables as they are now.
func (in *Instance) survey(cfg Config, c *conversion) error {
	from, onto := cfg.Copies[c.Copy].ends(c.Back)
	read, err := in.filesOf(cfg.Tables[from])
	if err != nil {
		return err
	}
	written, err := in.filesOf(cfg.Tables[onto])
	if err != nil {
		return err
	}
	if len(written) > 1 {
		return in.unconverted("many-files", service.Args{"table": onto, "n": len(written)})
	}
	c.Onto = seen{Path: placeOf(cfg.Tables[onto])}
	if len(written) == 1 {
		c.Onto = written[0]
	}
	c.From = read
	return nil
}

// filesOf are those of a table that are there.
func (in *Instance) filesOf(t Table) (all []seen, err error) {
	paths, err := in.find(t.Files)
	if err != nil {
		return nil, err
	}
	if t.Document != "" {
		paths = []string{in.path(t.Document)}
	}
	for _, path := range paths {
		s, err := in.see(path)
		if errors.Is(err, service.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// placeOf is where the file of a table lies that has none yet; "" where its patterns do not
// say.
func placeOf(t Table) string {
	if t.Document != "" {
		return t.Document
	}
	if len(t.Files) != 1 || strings.ContainsAny(t.Files[0], `*?[{\`) {
		return ""
	}
	return filepath.Clean(t.Files[0])
}

// made are the columns that are written in one direction, with what gives them.
func (a Agreement) made(back bool) map[string]string {
	if back {
		return a.Back
	}
	return a.Columns
}
