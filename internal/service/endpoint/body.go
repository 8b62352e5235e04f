package endpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// judgeBody compares the body with what was declared. Where the status is already
// wrong, only what the body still says in JSON is worth telling.
func (in *Instance) judgeBody(a answer, v *service.Verdict) {
	want := in.cfg.Expect
	right := want.Status.covers(a.status)
	if len(want.JSON) > 0 {
		in.judgeJSON(a, right, v)
	} else if right {
		judgeOwnWords(a, v)
	}
	if !right {
		return
	}
	if lacks := want.Body.Contains; lacks != "" && !bytes.Contains(a.body, []byte(lacks)) {
		tell(a, v, "body-lacks", service.Args{"want": short(lacks)})
	}
	if in.matches != nil && !in.matches.Match(a.body) {
		tell(a, v, "body-differs", service.Args{"want": short(in.cfg.Expect.Body.Matches)})
	}
}

// tell is unsure about what a body holds beyond its first MiB.
func tell(a answer, v *service.Verdict, slug string, args service.Args) {
	if a.cut {
		v.Unsure("body-too-long", "", service.Args{"limit": mostBody})
		return
	}
	v.Crit(slug, "", args)
}

func (in *Instance) judgeJSON(a answer, right bool, v *service.Verdict) {
	got, err := decode(a.body)
	if err != nil {
		if right {
			tell(a, v, "not-json", service.Args{"begins": short(string(a.body))})
		}
		return
	}
	for _, path := range slices.Sorted(maps.Keys(in.cfg.Expect.JSON)) {
		want := plainJSON(in.cfg.Expect.JSON[path])
		value, there := at(got, path)
		args := service.Args{"path": path, "want": compact(want)}
		switch {
		case !there:
			v.Crit("json-missing", path, args)
		case !same(want, value):
			args["got"] = compact(value)
			v.Crit("json-differs", path, args)
		}
	}
}

// judgeOwnWords warns when nothing was declared about the JSON and the answer
// itself says that something is wrong, as many do under status 200.
func judgeOwnWords(a answer, v *service.Verdict) {
	got, err := decode(a.body)
	if err != nil {
		return
	}
	status, _ := at(got, "status")
	text, _ := status.(string)
	switch strings.ToLower(text) {
	case "degraded", "unhealthy", "error", "fail", "failed", "down", "warn", "critical", "out_of_service":
		v.Warn("says-unhealthy", "", service.Args{"got": text})
	}
}

// decode reads exactly one JSON value and keeps numbers as they are written.
func decode(body []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return value, nil
}

// plainJSON gives a declared value the types that decode gives. What YAML reads
// is always JSON; NaN and the like are not, and equal nothing.
func plainJSON(declared any) any {
	text, err := json.Marshal(declared)
	if err != nil {
		return declared
	}
	value, err := decode(text)
	if err != nil {
		return declared
	}
	return value
}

// at walks down a dotted path.
func at(value any, path string) (any, bool) {
	for _, key := range keys(path) {
		var there bool
		switch v := value.(type) {
		case map[string]any:
			value, there = v[key]
		case []any:
			i, err := strconv.Atoi(key)
			if there = err == nil && i >= 0 && i < len(v); there {
				value = v[i]
			}
		}
		if !there {
			return nil, false
		}
	}
	return value, true
}

// keys splits at dots that no backslash stands before.
func keys(path string) []string {
	const dot = "\x00"
	parts := strings.Split(strings.ReplaceAll(path, `\.`, dot), ".")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], dot, ".")
	}
	return parts
}

// same compares exactly: 1 is 1.0 and never "1".
func same(want, got any) bool {
	if w, ok := want.(json.Number); ok {
		g, ok := got.(json.Number)
		return ok && sameNumber(w, g)
	}
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(w, g, same)
	case map[string]any:
		g, ok := got.(map[string]any)
		return ok && maps.EqualFunc(w, g, same)
	}
	return reflect.DeepEqual(want, got)
}

// sameNumber compares whole numbers exactly; a float64 would blur large IDs.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	_, whole1 := a.Int64()
	_, whole2 := b.Int64()
	if whole1 == nil && whole2 == nil {
		return false
	}
	x, err1 := a.Float64()
	y, err2 := b.Float64()
	return err1 == nil && err2 == nil && x == y
}

// compact shows a value as JSON.
func compact(value any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return short(fmt.Sprint(value))
	}
	return short(strings.TrimSuffix(b.String(), "\n"))
}

// short cuts text that came from outside to what fits a line or two.
func short(text string) string {
	const most = 200
	runes := []rune(text[:min(len(text), 4*most)])
	if len(runes) <= most {
		return strings.ToValidUTF8(string(runes), "�")
	}
	return string(runes[:most]) + "…"
}
