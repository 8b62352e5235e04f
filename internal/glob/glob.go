// Package glob is about path patterns in declarations, as doublestar reads them: which
// are well-formed, and which a plain path makes.
package glob

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/diag"
)

// Validate reports every pattern under a key that is none.
func Validate(p *diag.List, key string, patterns []string) {
	for i, pattern := range patterns {
		path := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case pattern == "":
			p.Addf(path, "must not be empty")
		case strings.ContainsRune(pattern, 0):
			p.Addf(path, "must not hold a NUL byte")
		case !doublestar.ValidatePattern(pattern):
			p.Addf(path, "is not a pattern: %q has an open bracket or brace", pattern)
		case slashInBraces(pattern):
			p.Addf(path, "must not have a slash inside braces: write one path per alternative")
		}
	}
}

func slashInBraces(pattern string) bool {
	depth := 0
	for _, r := range pattern {
		switch {
		case r == '{':
			depth++
		case r == '}':
			depth--
		case r == '/' && depth > 0:
			return true
		}
	}
	return false
}

// Absolute returns a path or pattern from base, clean. base is taken as it is: where
// the result is a pattern, it must be one too.
func Absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

// Escape makes a path a pattern that matches nothing else.
func Escape(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if strings.IndexByte(`*?[]{}\`, path[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
