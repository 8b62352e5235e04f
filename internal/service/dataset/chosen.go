package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
)

// What a step of a recovery does.
const (
	opPassOver = "pass-over" // says why a newer copy is not used
	opPut      = "put"       // puts a copy in the place of the store's file
	opRebuild  = "rebuild"   // writes a table anew from the one that was brought back
)

// put is what a step of opPut needs.
type put struct {
	Path   string    `json:"path"` // below the store
	Tables []string  `json:"tables"`
	Rows   []int64   `json:"rows"`
	Name   string    `json:"name"`
	Point  string    `json:"point,omitempty"`
	Sum    string    `json:"sha256"`
	Was    state     `json:"was,omitzero"` // of a file beside
	At     time.Time `json:"at"`
	Mends  int64     `json:"mends,omitempty"`
}

// passedOver is a step that only says why.
func (r *recovering) passedOver(s *save, why service.Finding, n int) service.Step {
	return step(opPassOver, service.ReadOnly, fmt.Sprintf("%d %s", n+1, s.Name), nil, service.Message{ID: opPassOver, Args: r.reason(s, why)})
}

// reason is what speaks against a save, for people.
func (r *recovering) reason(s *save, why service.Finding) service.Args {
	args := service.Args{"name": s.Name, "at": "", "detail": "", "before": 0, "now": 0, "total": "", "groups": []string{}, "offset": 0, "size": 0, "since": "", "form": ""}
	if !s.At.IsZero() {
		args["at"] = s.At.Format(time.RFC3339)
	}
	maps.Copy(args, why.Args)
	if form, told := why.Args["reason"]; told {
		args["form"] = form
	}
	args["reason"] = strings.TrimPrefix(why.ID, "dataset.")
	if why.ID == "" {
		args["reason"] = "present"
	}
	if groups, are := args["groups"].([]string); are {
		args["groups"] = few(groups)
	}
	if args["detail"] == "" {
		args["detail"] = why.Subject
	}
	return args
}

// few are the first names of many.
func few(names []string) []string {
	const most = 5
	if len(names) <= most {
		return names
	}
	return append(slices.Clone(names[:most]), "…")
}

// putting lists what brings a save back, and the tables that follow from it.
func (r *recovering) putting(ctx context.Context, s *save) (steps []service.Step, err error) {
	p := put{r.unit.Path, s.tables, s.rows, s.Name, s.Point, s.Sum, s.Was, s.At, s.mends}
	first := step(opPut, service.Reversible, p.Path, p, service.Message{ID: opPut, Args: service.Args{"path": p.Path, "name": p.Name, "point": p.Point,
		"at": p.At.Format(time.RFC3339), "also": few(s.Also), "holds": s.said(), "mends": p.Mends}})
	first.Note = r.difference(s)
	steps = append(steps, first)
	for _, name := range slices.Sorted(maps.Keys(r.cfg.Copies)) {
		a := r.cfg.Copies[name]
		if !slices.Contains(s.tables, a.Source) {
			continue
		}
		one := step(opRebuild, service.Reversible, a.Copy, rebuild{name, s.Sum}, service.Message{ID: opRebuild, Args: service.Args{"copy": a.Copy, "source": a.Source}})
		if one.Note, err = r.loses(ctx, s, name, a); err != nil {
			return nil, err
		}
		steps = append(steps, one)
	}
	return steps, nil
}

// said are the rows and totals of a save: "leaves: 607, tests 28265".
func (s *save) said() (all []string) {
	for i, table := range s.tables {
		text := fmt.Sprintf("%s: %d", table, s.rows[i])
		for _, total := range slices.Sorted(maps.Keys(s.holds[table].Totals)) {
			text += fmt.Sprintf(", %s %s", total, short(s.holds[table].Totals[total]))
		}
		all = append(all, text)
	}
	return all
}

// difference is what would change, as things are now.
func (r *recovering) difference(s *save) service.Message {
	var changes []string
	for _, table := range s.tables {
		changes = append(changes, r.present.holds[table].changes(s.holds[table])...)
	}
	why, against := r.present.against(r.wanted.Accepted)
	args := r.reason(r.present, why)
	args["path"], args["changes"] = r.unit.Path, changes
	if !against {
		args["reason"] = "older"
	}
	return service.Message{ID: "dataset.difference", Args: args}
}

// changes tells totals and groups before and after: "tests 9 → 4982", "model +4: gpt, …".
func (was past) changes(now past) (all []string) {
	for _, total := range slices.Sorted(maps.Keys(now.Totals)) {
		all = append(all, fmt.Sprintf("%s %s → %s", total, short(was.Totals[total]), short(now.Totals[total])))
	}
	for _, name := range slices.Sorted(maps.Keys(now.Groups)) {
		var more, less, other []string
		values := slices.Collect(maps.Keys(now.Groups[name]))
		values = slices.AppendSeq(values, maps.Keys(was.Groups[name]))
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			before, had := was.Groups[name][value]
			after, has := now.Groups[name][value]
			switch {
			case !had:
				more = append(more, value)
			case !has:
				less = append(less, value)
			case !maps.Equal(before, after):
				other = append(other, value)
			}
		}
		all = append(all, signed(name, "+", more), signed(name, "−", less), signed(name, "≠", other))
	}
	return slices.DeleteFunc(all, func(text string) bool { return text == "" })
}

func signed(name, sign string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s%d (%s)", name, sign, len(values), strings.Join(few(values), ", "))
}

// loses tells what a table has that follows from what is brought back, and will not have
// afterwards.
func (r *recovering) loses(ctx context.Context, s *save, name string, a Agreement) (m service.Message, err error) {
	m = service.Message{ID: "dataset.loses", Args: service.Args{"copy": a.Copy, "lacks": 0, "extra": 0, "differ": 0, "increments": 0, "reason": "", "same": true, "example": "", "numbers": ""}}
	files := map[string]string{}
	paths, err := r.in.find(r.cfg.Tables[a.Copy].Files)
	if err != nil {
		return m, err
	}
	for _, path := range paths {
		files[r.in.within(path)] = path
	}
	increments, err := r.in.find(r.cfg.Tables[a.Copy].Increments.Files)
	if err != nil {
		return m, err
	}
	m.Args["increments"] = len(increments)
	return m, r.in.inDir(func(dir string) error {
		if files[r.unit.Path], err = r.in.fileOf(ctx, s, dir); err != nil {
			return err
		}
		view, err := r.in.view(filepath.Join(dir, "store"), files)
		if err != nil {
			return err
		}
		return view.disagree(ctx, name, a, m.Args)
	})
}

// disagree adds how a table differs from the one that it follows.
func (in *Instance) disagree(ctx context.Context, name string, a Agreement, args service.Args) (err error) {
	var v service.Verdict
	s, err := in.open(ctx, how{budget: -1, only: func(table string) bool { return table == a.Source || table == a.Copy }}, &v)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if !s.asked[a.Copy] || s.partial[a.Copy] {
		args["reason"], args["same"] = "unreadable", false
		return nil
	}
	if err := s.judgeCopy(ctx, name, a, &v); err != nil {
		return err
	}
	for _, f := range v.Findings {
		if f.ID == "dataset.copy-differs" {
			maps.Copy(args, f.Args)
			args["same"] = false
		}
	}
	return nil
}
