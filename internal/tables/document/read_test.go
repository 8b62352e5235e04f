package document_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"upkeep/internal/tables/document"
)

const store = `{"version": "3.0", "summary": {"total_tests": 7, "rate": 0.5},
 "models": {"qwen": {"total_tests": 7, "by_prompt_type": {
   "cot": {"total": 3, "deep": {"x": 1}, "list": [1, 2]},
   "最优": {"total": 4, "ok": true, "note": null, "big": 9007199254740993}}}},
 "sessions": [{"id": "a"}, {"id": "b"}]}`

func parse(t *testing.T, texts ...string) []document.Pattern {
	t.Helper()
	patterns := make([]document.Pattern, len(texts))
	for i, text := range texts {
		p, err := document.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		patterns[i] = p
	}
	return patterns
}

func TestRowsOfADocument(t *testing.T) {
	patterns := parse(t, "models/{model}/by_prompt_type/{prompt}", "models/{model}", "summary", "", "sessions/{n}")
	var got []string
	err := document.Read(strings.NewReader(store), patterns, func(r document.Row) error {
		got = append(got, fmt.Sprint(r.Pattern, r.Keys, r.Fields))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`2 [] map[rate:0.5 total_tests:7]`,
		`0 [qwen cot] map[total:3]`,
		`0 [qwen 最优] map[big:9007199254740993 note:<nil> ok:true total:4]`,
		`1 [qwen] map[total_tests:7]`,
		`4 [0] map[id:a]`, `4 [1] map[id:b]`,
		`3 [] map[version:3.0]`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRowsCarryOnlyTheFieldsThatTheirPatternAsksFor(t *testing.T) {
	patterns := parse(t, "rows/{n}", "rows/{n}")
	patterns[0], patterns[1] = patterns[0].Only("a", "none"), patterns[1].Only("b")
	text := `{"rows": [{"a": 1, "b": "x", "c": 3}, {"\u0061": 1.5, "b": 1e999, "c": {"a": 2}}, {"a": 12345678901234567890, "c": -0}]}`
	var got []string
	err := document.Read(strings.NewReader(text), patterns, func(r document.Row) error {
		if r.Pattern == 0 {
			got = append(got, fmt.Sprint(r.Fields))
		}
		return nil
	})
	want := "map[a:1 b:x] map[a:1.5 b:1.7976931348623157e+308] map[a:1.2345678901234567e+19]"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}

func TestWhatIsNoDocument(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 20_000)
	for _, c := range []struct {
		name, text string
		reason     document.Reason
		offset     int64
		way        string
	}{
		{"nothing", "", document.Empty, 0, ""},
		{"blanks", "  \n", document.Empty, 0, ""},
		{"cut off", `{"models": {"qwen": {"total`, document.CutOff, 27, "models/qwen"},
		{"cut off after a key", `{"models": {"qwen":`, document.CutOff, 19, "models/qwen"},
		{"key twice", `{"models": {"qwen": {"a": 1, "a": 2}}}`, document.Twice, 29, "models/qwen/a"},
		{"no UTF-8", "{\"models\": {\"q\xff\": {}}}", document.NotText, 14, "models"},
		{"NaN", `{"models": {"rate": NaN}}`, document.NotJSON, 20, "models/rate"},
		{"garbled", `{"models": {"qwen" "x"}}`, document.NotJSON, 19, "models/qwen"},
		{"mark", "\ufeff{}", document.ByteOrder, 0, ""},
		{"two", `{} {}`, document.TooMuch, 4, ""},
		{"deep", deep, document.TooDeep, 50_000, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := document.Read(strings.NewReader(c.text), parse(t, "models/{m}"), func(document.Row) error { return nil })
			var f *document.Fault
			if !errors.As(err, &f) {
				t.Fatalf("no fault but %v", err)
			}
			if f.Reason != c.reason || f.Offset != c.offset || (c.way != "" && f.Way != c.way) {
				t.Errorf("got %s at %d (%s), want %s at %d (%s): %s", f.Reason, f.Offset, f.Way, c.reason, c.offset, c.way, f.Detail)
			}
		})
	}
}

// A hundred levels are a document like any other.
func TestDeepDocument(t *testing.T) {
	text := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	if err := document.Read(strings.NewReader(text), parse(t, "a/{x}"), func(document.Row) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestWhatEmitSaysIsNoFault(t *testing.T) {
	full := errors.New("disk full")
	err := document.Read(strings.NewReader(store), parse(t, "summary"), func(document.Row) error { return full })
	var f *document.Fault
	if !errors.Is(err, full) || errors.As(err, &f) {
		t.Errorf("got %v", err)
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	for _, text := range []string{"/a", "a//b", "a/", "{", "{}", "{a}/{a}", "{a"} {
		if _, err := document.ParsePattern(text); err == nil {
			t.Errorf("%q is taken for a pattern", text)
		}
	}
}

func TestHead(t *testing.T) {
	head, err := document.Head(strings.NewReader(`{"models": {"a": {"version": 1}}, "version": "3.0", "n": 2, "more": {"cut`), "version", "n")
	if err != nil || fmt.Sprint(head) != "map[n:2 version:3.0]" {
		t.Errorf("got %v, %v", head, err)
	}
	if head, err := document.Head(strings.NewReader(`{"n": 1, "version": "3.`), "version"); err == nil {
		t.Errorf("a cut head gives %v", head)
	}
	for _, without := range []string{`[1]`, `{"models": {}}`, `7`} {
		if head, err := document.Head(strings.NewReader(without), "version"); err != nil || len(head) != 0 {
			t.Errorf("%s gives %v, %v", without, head, err)
		}
	}
}
