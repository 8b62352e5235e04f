package initialize

import (
	"fmt"
	"strings"
	"unicode"
)

// longestName is what a declaration accepts, less what makes a name unique.
const longestName = 56

// name returns a name for a target that is like wanted, may stand in a
// declaration and is not taken yet.
func (s *survey) name(wanted string) string {
	base := validName(wanted)
	name := base
	for n := 2; s.taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	s.taken[name] = true
	return name
}

// validName replaces what a name may not hold: it begins with a letter and goes
// on with letters, digits, _ and -.
func validName(wanted string) string {
	var b strings.Builder
	for _, r := range wanted {
		switch {
		case letter(r) || b.Len() > 0 && (r >= '0' && r <= '9' || r == '_' || r == '-'):
			b.WriteRune(r)
		case b.Len() == 0 && r >= '0' && r <= '9':
			b.WriteString("s" + string(r))
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := []rune(strings.TrimRight(b.String(), "-"))
	if len(name) == 0 {
		return "system"
	}
	return string(name[:min(len(name), longestName)])
}

func letter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || unicode.Is(unicode.Han, r)
}
