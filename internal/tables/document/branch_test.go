package document_test

import (
	"testing"

	"upkeep/internal/tables/document"
)

// Objects that are not there are made with all that leads to them, one after the other, and
// look like what stands beside them.
func TestBranchesThatAreNotThere(t *testing.T) {
	below := func(nth int64, fields map[string]any, way ...string) document.Edit {
		return document.Edit{Nth: nth, Below: way, Fields: fields}
	}
	top := []document.Edit{below(0, fields("version", "3.0"), "models", "c"), below(0, fields("t", int64(1)), "models", "c", "by", "x"),
		below(0, fields("t", int64(2)), "models", "c", "by", "y"), below(0, fields("t", int64(3)), "models", "d", "by", "x")}
	within := []document.Edit{{Nth: 0, Fields: fields("n", int64(9))}, below(0, fields("t", int64(4)), "z"), below(1, fields("t", int64(5)), "z")}
	for _, c := range []struct {
		name, text, want string
		patterns         []string
		edits            [][]document.Edit
	}{
		{"one line", `{"v": 1, "models": {"a": {"n": 1, "by": {"x": {"t": 0}}}, "b": {"by": {}}}, "s": 2}`,
			`{"v": 1, "models": {"a": {"n": 1, "by": {"x": {"t": 0}, "n": 9, "z": {"t": 4}}}, "b": {"by": {"z": {"t": 5}}}}, "s": 2}`, []string{"models/{m}/by"}, [][]document.Edit{within}},
		{"from the top", `{"v": 1}`, `{"v": 1, "models": {"c": {"version": "3.0", "by": {"x": {"t": 1}, "y": {"t": 2}}}, "d": {"by": {"x": {"t": 3}}}}}`, []string{""}, [][]document.Edit{top}},
		{"into nothing", "{}\n", `{"models": {"c": {"version": "3.0", "by": {"x": {"t": 1}, "y": {"t": 2}}}, "d": {"by": {"x": {"t": 3}}}}}` + "\n", []string{""}, [][]document.Edit{top}},
		{"indented", "{\n  \"v\": 1,\n  \"models\": {\n    \"a\": {}\n  }\n}\n",
			"{\n  \"v\": 1,\n  \"models\": {\n    \"a\": {},\n    \"c\": {\n      \"by\": {\n        \"x\": {\n          \"t\": 1\n        },\n        \"y\": {}\n      }\n    }\n  }\n}\n",
			[]string{"models"}, [][]document.Edit{{below(0, fields("t", int64(1)), "c", "by", "x"), below(0, nil, "c", "by", "y")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rewritten(t, c.text, parse(t, c.patterns...), given(c.edits[0]...)); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
