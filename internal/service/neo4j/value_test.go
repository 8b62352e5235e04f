package neo4j

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// A digest is over these bytes: they must stay what an encoder of JSON writes.
func TestStringsAreWrittenAsAnEncoderWritesThem(t *testing.T) {
	all := []string{"", "plain", "实体 1", `say "hi"`, `a\b`, "a\nb\x00", "\x7f", "<&>", "\u2028", "\u2029", "\xff\xfe", "\xe2\x80", "😀", "\ufffd"}
	for r := range rune(0x300) {
		all = append(all, string(r))
	}
	for _, text := range all {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(text); err != nil {
			t.Fatal(err)
		}
		got, err := appendString(nil, text)
		if err != nil || string(got)+"\n" != want.String() {
			t.Errorf("%q (valid %v): %s, want %s", text, utf8.ValidString(text), got, want.String())
		}
	}
}
