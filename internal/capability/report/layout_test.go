package report

import (
	"slices"
	"testing"
)

func TestWidthIsCountedInColumns(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "disk": 4, "磁盘": 4, "“磁盘”，": 8, "◆ ok": 4, "\x1b[31m◆\x1b[0m 严重": 6, "e\u0301": 1, "a\u200bb": 2, "\x1b[": 2, "\xff": 1,
	} {
		if got := pictured(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

func TestWrapping(t *testing.T) {
	for _, c := range []struct {
		name, text  string
		first, rest int
		want        []string
	}{
		{"short", "all is well", 20, 20, []string{"all is well"}},
		{"at blanks", "all is well here", 8, 12, []string{"all is", "well here"}},
		{"a narrow first line", "one two three", 4, 20, []string{"one", "two three"}},
		{"lines of their own", "one\ntwo", 20, 20, []string{"one", "two"}},
		{"between Chinese characters", "磁盘空间不足", 8, 8, []string{"磁盘空间", "不足"}},
		{"not before closing punctuation", "磁盘满了，快", 8, 8, []string{"磁盘满", "了，快"}},
		{"not after an opening bracket", "磁盘满（快）", 8, 8, []string{"磁盘满", "（快）"}},
		{"a word longer than the line", "abcdefghijkl", 8, 8, []string{"abcdefghijkl"}},
		{"nothing", "", 8, 8, []string{""}},
	} {
		if got := wrap(c.text, c.first, c.rest); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
