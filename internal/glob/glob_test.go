package glob

import (
	"slices"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/diag"
)

func TestPatternsThatAreNone(t *testing.T) {
	var p diag.List
	Validate(&p, "paths", []string{"a/**/*.log", "", "a\x00", "[", "{a/b,c}", "{a,b}/c"})
	var paths []string
	for _, problem := range p {
		paths = append(paths, problem.Path)
	}
	if want := []string{"paths[1]", "paths[2]", "paths[3]", "paths[4]"}; !slices.Equal(paths, want) {
		t.Errorf("problems at %q, want %q", paths, want)
	}
}

func TestAnEscapedPathMatchesItselfAlone(t *testing.T) {
	path := `/srv/[a]{b,c}*?\d/日志`
	if ok, err := doublestar.Match(Escape(path), path); err != nil || !ok {
		t.Errorf("it does not match itself: %v", err)
	}
	if ok, _ := doublestar.Match(Escape(path), "/srv/ab1?d/日志"); ok {
		t.Error("it matches something else")
	}
	if got := Absolute("/base", "x/../y") + Absolute("/base", "/z/"); got != "/base/y/z" {
		t.Errorf("absolute paths are %s", got)
	}
}
