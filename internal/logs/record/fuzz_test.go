package record_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"upkeep/internal/logs/record"
)

// FuzzReader holds what must be true of any bytes: every line is counted, messages
// are text, and nothing but blank lines is lost without a count.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"2026-11-25 18:44:38,123 - a - ERROR - b\n\tc\n", `{"log":"{\"event\":\"x\"}\n"}`, "[\x1b[31m18:44:38] x\r\n", "1:M 25 Nov 2026 18:44:38.123 * x", "W1125 18:44:38.123456 1 a] b", "\xb0\xa1 [25/Nov/2026:18:44:38 "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		records, stats := readAll(t, bytes.NewReader(text), record.Options{})
		if want := int64(len(bytes.SplitAfter(text, []byte("\n")))); stats.Lines > want || stats.Lines < want-1 {
			t.Errorf("%d lines of %d", stats.Lines, want)
		}
		if stats.Bytes != int64(len(text)) || stats.Records != int64(len(records)) {
			t.Errorf("stats %+v for %d bytes, %d records", stats, len(text), len(records))
		}
		for _, r := range records {
			if !utf8.ValidString(r.message) || !bytes.Contains(text, []byte(r.raw)) {
				t.Errorf("record %+v", r)
			}
		}
	})
}
