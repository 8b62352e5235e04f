package nearest_test

import (
	"testing"

	"upkeep/internal/nearest"
)

func TestWordIsWhatWasMeantOrNone(t *testing.T) {
	known := []string{"postgres", "redis", "s3", "host"}
	for word, want := range map[string]string{"postgrs": "postgres", "Redis": "redis", "hots": "host", "kafka": "", "": ""} {
		if got := nearest.Word(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestDistanceCountsLettersNotBytes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"每周", "每月", 1}} {
		if got := nearest.Distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
