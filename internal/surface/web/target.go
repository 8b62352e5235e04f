package web

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// targetView is one target in full.
type targetView struct {
	row
	System  string        `json:"system"`
	Run     string        `json:"run"` // that checked it last
	Facts   service.Facts `json:"facts"`
	Span    string        `json:"span"`
	Charts  []chart       `json:"charts"`
	Runs    []ran         `json:"runs"` // that told of it, newest first
	Copies  []held        `json:"copies"`
	Reading bool          `json:"reading"` // the copies: they are there soon
	// Errors says which parts could not be told, and why.
	Errors map[string]*report.ErrorView `json:"errors"`

	unmeasured bool // this process takes no samples
}

// held is what one restore point has of a target.
type held struct {
	Point string `json:"point"`
	Taken moment `json:"taken"`
	Bytes int64  `json:"bytes"`
	State string `json:"state"`
}

// How much of each list a target's page shows.
const (
	runsOfTarget   = 12
	copiesOfTarget = 5
)

func (s *site) target(ctx context.Context, p *page) (any, templ.Component, error) {
	n, err := s.now(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	r, err := find(s.rows(p, n), p.request.PathValue("target"))
	if err != nil {
		return nil, nil, err
	}
	v := targetView{row: r, System: p.system, Run: r.run, Facts: factsOf(n, r.Target)}
	v.Errors = map[string]*report.ErrorView{}
	var span time.Duration
	v.Span, span = spanOf(p.request.URL.Query().Get("span"))
	v.Charts, err = s.charts(ctx, p, r.Kind, r.Target, span)
	v.failed(p, "charts", err)
	v.unmeasured = unsupported(err)
	v.Runs, err = s.runsOf(ctx, p, r.Target)
	v.failed(p, "runs", err)
	v.Copies, err = s.copiesOf(ctx, r.Target)
	v.failed(p, "copies", err)
	v.Reading = errors.Is(err, ErrReading)
	p.part, p.title, p.refresh = "home", r.Target, homeEvery
	p.below = charts(p, v)
	return v, target(p, v), nil
}

func (v *targetView) failed(p *page, part string, err error) {
	if e := p.trouble(err); e != nil {
		v.Errors[part] = e
	}
}

func factsOf(n now, target string) service.Facts {
	for _, st := range n.standings {
		if st.Target.Target == target {
			return st.Facts
		}
	}
	return nil
}

func (s *site) runsOf(ctx context.Context, p *page, target string) ([]ran, error) {
	runs, _, err := s.System.Runs(ctx, journal.Query{Target: target, Limit: runsOfTarget})
	all := []ran{}
	for _, run := range runs {
		one := s.ran(p, run)
		for _, t := range run.Targets {
			if t.Target == target {
				one.Verdict = t.Verdict
			}
		}
		all = append(all, one)
	}
	return all, err
}

func (s *site) copiesOf(ctx context.Context, target string) ([]held, error) {
	points, err := s.System.Points(ctx)
	all := []held{}
	for _, point := range points {
		if c, has := point.Target(target); has && counts(point) && len(all) < copiesOfTarget {
			all = append(all, held{point.ID, moment{point.Taken}, c.Bytes, stateOf(point)})
		}
	}
	return all, err
}

// fact is one fact as it is read: NAME of nested ones is a path.
type fact struct{ Name, Value, Exact string }

// factsShown keeps a page to what one can look through; the JSON has all.
const factsShown = 60

// facts are all that the last check told, by name.
func (v targetView) facts(p *page) (all []fact) {
	p.flatten("", map[string]any(v.Facts), &all)
	return all[:min(len(all), factsShown)]
}

func (p *page) flatten(path string, value any, all *[]fact) {
	switch x := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			p.flatten(strings.TrimPrefix(path+" · "+name, " · "), x[name], all)
		}
	case []any:
		*all = append(*all, fact{Name: path, Value: p.listed(x)})
	default:
		if one, plain := p.fact(path, value); plain {
			*all = append(*all, one)
		}
	}
}

// listedMost is how many values are listed; of more, and of those that have parts, only
// the number is said.
const listedMost = 6

func (p *page) listed(values []any) string {
	var texts []any
	for _, one := range values {
		f, plain := p.fact("", one)
		switch one.(type) {
		case map[string]any, []any:
			plain = false
		}
		if !plain || len(values) > listedMost {
			return p.say("entries", "n", len(values))
		}
		texts = append(texts, f.Value)
	}
	return p.say("list", "of", texts)
}

// fact reads a value by the end of its name, as kinds call their facts.
func (p *page) fact(name string, value any) (fact, bool) {
	f := fact{Name: name}
	n, isNumber := numeric(value)
	at, isTime := value.(time.Time)
	switch {
	case value == nil || value == "":
		return f, false
	case isTime:
		f.Value = p.full(moment{at})
	case isNumber && (strings.HasSuffix(name, "bytes") || strings.HasSuffix(name, "memory")):
		f.Value, f.Exact = p.words.Bytes(int64(n)), p.words.Count(int64(n))+" B"
	case isNumber && strings.HasSuffix(name, "_s"):
		f.Value = p.words.Duration(lasting(n))
	case isNumber && n == math.Trunc(n):
		f.Value = p.words.Count(int64(n))
	case isNumber:
		f.Value, f.Exact = strconv.FormatFloat(n, 'g', 4, 64), strconv.FormatFloat(n, 'g', -1, 64)
	default:
		f.Value = p.words.Message("report.text", args{"text": fmt.Sprint(value)})
	}
	return f, true
}

// numeric reads a number, fresh from a kind or back from JSON.
func numeric(value any) (float64, bool) {
	switch v := reflect.ValueOf(value); {
	case value == nil:
		return 0, false
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}
