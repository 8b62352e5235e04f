package repository

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func anyName(t *rapid.T, label string) string {
	if rapid.Bool().Draw(t, label+" is text") {
		return rapid.StringN(0, 300, 600).Draw(t, label)
	}
	return string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, label))
}

func TestEscapedNamesAreSafeAndDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyName(t, "a"), anyName(t, "b")
		escaped := escapeName(a)
		if escaped == "" || escaped == "." || escaped == ".." || len(escaped) > 255 || strings.ContainsAny(escaped, "/\\\x00\n\r") {
			t.Fatalf("%q became %q", a, escaped)
		}
		if a != b && escaped == escapeName(b) {
			t.Fatalf("%q and %q became %q", a, b, escaped)
		}
	})
}

func TestNamesThatCouldMeet(t *testing.T) {
	long := strings.Repeat("x", 300)
	seen := map[string]string{}
	for _, name := range []string{"", ".", "..", "%", "%2E", "%%2E", "...", "a/b", "a%2Fb", long, long + "y", escapeName(long), escapeName(escapeName(long))} {
		if other, twice := seen[escapeName(name)]; twice {
			t.Errorf("%q and %q are one file name", name, other)
		}
		seen[escapeName(name)] = name
	}
}

func TestAnyTextSurvivesTheIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := entry{Name: text(anyName(t, "name")), Identity: text(anyName(t, "identity")), Attrs: [][2]text{{text(anyName(t, "key")), text(anyName(t, "value"))}}}
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back entry
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if back.Name != e.Name || back.Identity != e.Identity || back.Attrs[0] != e.Attrs[0] {
			t.Fatalf("%+q came back as %+q", []text{e.Name, e.Identity}, []text{back.Name, back.Identity})
		}
	})
}

func TestTheClockNeverStandsOrGoesBack(t *testing.T) {
	var c steadyClock
	ahead := time.Now().Add(time.Hour)
	c.atLeast(ahead)
	c.atLeast(time.Now())
	for last := ahead; last.Before(ahead.Add(10 * time.Microsecond)); {
		now := c.now()
		if !now.After(last) {
			t.Fatalf("%s after %s", now, last)
		}
		last = now
	}
}
