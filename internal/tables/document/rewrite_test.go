package document_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"upkeep/internal/tables/document"
)

func given(all ...document.Edit) iter.Seq2[document.Edit, error] {
	return func(yield func(document.Edit, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func fields(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func rewritten(t *testing.T, text string, patterns []document.Pattern, edits ...iter.Seq2[document.Edit, error]) string {
	t.Helper()
	var to strings.Builder
	if err := document.Rewrite(strings.NewReader(text), int64(len(text)), &to, patterns, edits); err != nil {
		t.Fatal(err)
	}
	return to.String()
}

func TestOnlyWhatIsEditedChanges(t *testing.T) {
	const text = `{ "version":"3.0",  "summary": {"total_tests": 10, "rate": 1.50},
 "models": {
   "a":   {"n": 1e2, "by": {"x": {"t": 3, "r": 0.1}, "y": {"t": 4,"r":  0.2 }}},
	"b": {"\u6700": "\/", "by": {"z": {"t": 5}}}}, "tail": [1, {"summary": 2}] }
`
	patterns := parse(t, "models/{m}/by/{p}", "models/{m}", "summary")
	if got := rewritten(t, text, patterns, given(), given(), given()); got != text {
		t.Errorf("without an edit it is\n%s", got)
	}
	got := rewritten(t, text, patterns, given(document.Edit{Nth: 1, Fields: fields("r", 0.25)}, document.Edit{Nth: 2, Fields: fields("r", 1.0)}),
		given(document.Edit{Nth: 0, Fields: fields("n", int64(7), "by", int64(1))}), given(document.Edit{Nth: 0, Fields: fields("total_tests", int64(12), "total_success", int64(3))}))
	want := strings.NewReplacer(`"total_tests": 10, "rate": 1.50`, `"total_tests": 12, "rate": 1.50, "total_success": 3`, `1e2`, `7`, `0.2 `, `0.25 `, `"z": {"t": 5}`, `"z": {"t": 5, "r": 1.0}`).Replace(text)
	if !strings.Contains(got, `"by": {"x"`) || strings.Replace(got, `, "by": 1`, "", 1) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatIsAddedLooksLikeTheRest(t *testing.T) {
	patterns := parse(t, "summary", "a/b")
	total, b := given(document.Edit{Fields: fields("total", int64(3), "name", "最\n")}), given(document.Edit{Fields: fields("n", int64(1))})
	for _, c := range []struct{ name, text, want string }{
		{"indented", "{\n  \"v\": 1,\n  \"w\": {\n    \"x\": 1\n  }\n}\n", "{\n  \"v\": 1,\n  \"w\": {\n    \"x\": 1\n  },\n  \"a\": {\n    \"b\": {\n      \"n\": 1\n    }\n  },\n  \"summary\": {\n    \"name\": \"最\\n\",\n    \"total\": 3\n  }\n}\n"},
		{"tabs", "{\n\t\"a\": {\n\t\t\"b\": {\n\t\t\t\"m\": 0\n\t\t}\n\t},\n\t\"summary\": {}\n}", "{\n\t\"a\": {\n\t\t\"b\": {\n\t\t\t\"m\": 0,\n\t\t\t\"n\": 1\n\t\t}\n\t},\n\t\"summary\": {\n\t\t\"name\": \"最\\n\",\n\t\t\"total\": 3\n\t}\n}"},
		{"one line", `{"v": 1}`, `{"v": 1, "a": {"b": {"n": 1}}, "summary": {"name": "最\n", "total": 3}}`},
		{"compact", `{"v":1,"a":{"c":2}}`, `{"v":1,"a":{"c":2,"b":{"n":1}},"summary":{"name":"最\n","total":3}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rewritten(t, c.text, patterns, total, b); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A value with values of its own stays, whatever somebody wants in its place.
func TestNestedValuesStay(t *testing.T) {
	got := rewritten(t, `{"a": {"b": 1}, "s": [1]}`, parse(t, "", "s"), given(document.Edit{Fields: fields("a", int64(2))}), given(document.Edit{Fields: fields("n", int64(2))}))
	if !strings.HasPrefix(got, `{"a": {"b": 1}, "s": [1]`) {
		t.Errorf("got %s", got)
	}
}

func TestRewriteTellsFaultsAndErrors(t *testing.T) {
	var to strings.Builder
	err := document.Rewrite(strings.NewReader(`{"a": {"b"`), 10, &to, parse(t, "a"), []iter.Seq2[document.Edit, error]{given()})
	var f *document.Fault
	if !errors.As(err, &f) || f.Reason != document.CutOff {
		t.Errorf("got %v", err)
	}
	full := errors.New("no answer")
	failing := func(yield func(document.Edit, error) bool) { yield(document.Edit{}, full) }
	if err := document.Rewrite(strings.NewReader(`{"a": {"b": 1}}`), 15, &to, parse(t, "a"), []iter.Seq2[document.Edit, error]{failing}); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

func TestSalvage(t *testing.T) {
	whole := `{"v": "3", "s": {"t": 9}, "models": {"a": {"n": 2, "by": {"x": {"t": 1}, "y": {"t": 1}}, "m": 3}, "b": {"n": 7, "by": {"z": {"t": 7}}}}}`
	for _, c := range []struct{ name, text, want string }{
		{"whole", whole, whole},
		{"in a row", cut(whole, `"y": {"t"`), `{"v": "3", "s": {"t": 9}, "models": {"a": {"n": 2, "by": {"x": {"t": 1}}}}}`},
		{"after a row", cut(whole, `"y": {"t": 1}`), `{"v": "3", "s": {"t": 9}, "models": {"a": {"n": 2, "by": {"x": {"t": 1}, "y": {"t": 1}}}}}`},
		{"after a member", cut(whole, `"m": 3}`), cut(whole, `"m": 3}`) + `}}`},
		{"in a number", cut(whole, `"m": 3`), cut(whole, `"y": {"t": 1}}`) + `}}}`},
		{"before the first row of another", cut(whole, `"n": 7`), cut(whole, `"m": 3}`) + `}}`},
		{"before any", cut(whole, `"by"`), `{"v": "3", "s": {"t": 9}}`},
		{"beside rows", cut(whole, `"s": {"t"`), `{"v": "3"}`},
		{"garbled", strings.Replace(whole, `"n": 7`, `"n" 7`, 1), cut(whole, `"m": 3}`) + `}}`},
		{"more", whole + `"t": 1}}}`, whole},
		{"at once", `{"v`, ``},
		{"no JSON", `hello`, ``},
		{"nothing", ``, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			saved, err := document.Salvage(strings.NewReader(c.text), parse(t, "models/{m}/by/{p}"))
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			if err := saved.Write(strings.NewReader(c.text), &got); err != nil {
				t.Fatal(err)
			}
			if strings.TrimSuffix(got.String(), "\n") != c.want {
				t.Errorf("got  %s\nwant %s", got.String(), c.want)
			}
		})
	}
}

func cut(text, after string) string {
	i := strings.Index(text, after)
	return text[:i+len(after)]
}

func TestContentWithoutMark(t *testing.T) {
	text := "\ufeff{}"
	c := document.Content(strings.NewReader(text), int64(len(text)))
	if c.Size() != 2 {
		t.Errorf("%d bytes are content", c.Size())
	}
	if c := document.Content(strings.NewReader("{}"), 2); c.Size() != 2 {
		t.Errorf("%d bytes are content", c.Size())
	}
}

// Wherever a document is cut off or a byte of it is lost, what is saved is one, and its
// rows are rows of the whole.
func TestWhatIsSavedIsADocument(t *testing.T) {
	patterns := parse(t, "models/{m}/by_prompt_type/{p}")
	rows := func(text string) (all []string) {
		err := document.Read(strings.NewReader(text), patterns, func(r document.Row) error {
			all = append(all, fmt.Sprint(r.Keys, r.Fields))
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return all
	}
	whole := rows(store)
	for i := range store {
		for _, broken := range []string{store[:i], store[:i] + store[i+1:], store[:i] + "\x00" + store[i:]} {
			saved, err := document.Salvage(strings.NewReader(broken), patterns)
			if err != nil {
				t.Fatal(err)
			}
			if saved.Bytes == 0 {
				continue
			}
			var text strings.Builder
			if err := saved.Write(strings.NewReader(broken), &text); err != nil {
				t.Fatal(err)
			}
			if got := rows(text.String()); len(broken) == i && strings.Join(got, ";") != strings.Join(whole[:len(got)], ";") {
				t.Errorf("cut off at %d: %v", i, got)
			}
		}
	}
}
