package acceptance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"
)

// jsonValue is json [FILE] PATH [VALUE]: compares a value in the last output, or
// in FILE when VALUE is given too, found by a gjson path. VALUE is compared as
// text; ! wants another one. Without VALUE there must be one; ! wants none.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	file := "stdout"
	if len(args) == 3 {
		file, args = args[0], args[1:]
	}
	if len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: json [FILE] PATH [VALUE]")
	}
	text := ts.ReadFile(file)
	if !gjson.Valid(text) {
		ts.Fatalf("%s is no JSON:\n%s", file, text)
	}
	got := gjson.Get(text, args[0])
	switch {
	case len(args) == 1 && got.Exists() == neg:
		ts.Fatalf("%s: wanted: %v, is %q in\n%s", args[0], !neg, got.String(), text)
	case len(args) == 1:
	case !got.Exists() && !neg:
		ts.Fatalf("%s is not in\n%s", args[0], text)
	case (got.String() == args[1]) == neg:
		ts.Fatalf("%s is %q (wanted: %v %q) in\n%s", args[0], got.String(), !neg, args[1], text)
	}
}

// save NAME PATH: keeps a value of the last output's JSON in the environment.
func save(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("stdout")
	got := gjson.Get(text, args[1])
	if !gjson.Valid(text) || !got.Exists() {
		ts.Fatalf("%s is not in\n%s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], got.String())
}

// number A < B: compares two numbers by <, <=, =, >= or >. B may be written
// NUMBER*FACTOR.
func number(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: number A OPERATOR B[*FACTOR]")
	}
	a, b := value(ts, args[0]), 1.0
	for _, factor := range strings.Split(args[2], "*") {
		b *= value(ts, factor)
	}
	holds, known := map[string]bool{"<": a < b, "<=": a <= b, "=": a == b, ">=": a >= b, ">": a > b}[args[1]]
	if !known {
		ts.Fatalf("number compares by <, <=, =, >= and >, not %s", args[1])
	}
	if !holds {
		ts.Fatalf("%v %s %v does not hold", a, args[1], b)
	}
}

func value(ts *testscript.TestScript, text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	ts.Check(err)
	return n
}

// open are the objects whose keys are data: names of facts, counts, arguments.
var open = []string{"facts", "evidence", "counts", "compared", "args", "attrs"}

// shape: prints the keys of the last output's JSON, one per line with its types.
func shape(ts *testscript.TestScript, _ bool, _ []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	types := map[string]map[string]bool{}
	describeJSON(types, "", v)
	for _, path := range slices.Sorted(maps.Keys(types)) {
		fmt.Fprintln(ts.Stdout(), strings.TrimPrefix(path, "."), strings.Join(slices.Sorted(maps.Keys(types[path])), "|"))
	}
}

func describeJSON(types map[string]map[string]bool, path string, v any) {
	note := func(name string) {
		if types[path] == nil {
			types[path] = map[string]bool{}
		}
		types[path][name] = true
	}
	switch v := v.(type) {
	case map[string]any:
		if path != "" {
			note("object")
		}
		if slices.Contains(open, path[strings.LastIndexByte(path, '.')+1:]) {
			return
		}
		for key, inner := range v {
			describeJSON(types, path+"."+key, inner)
		}
	case []any:
		note("list")
		for _, inner := range v {
			describeJSON(types, path+"[]", inner)
		}
	case string:
		note("text")
	case float64:
		note("number")
	case bool:
		note("bool")
	case nil:
		note("null")
	}
}
