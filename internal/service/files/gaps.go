package files

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"upkeep/internal/service"
)

// gap is a reason why something declared is not, or not surely, in a copy.
type gap int

const (
	missing    gap = iota // declared and not there
	unreadable            // permissions or the disk
	vanished              // gone or replaced between listing and reading
	changing              // changed during both readings
	attributes            // extended attributes that cannot be read
	sockets               // never copied: their server makes them anew
	gapsKnown
)

// named is how many names a finding shows.
const named = 10

// gaps counts what a pass could not see. It is safe for concurrent use.
type gaps struct {
	mu    sync.Mutex
	found [gapsKnown]sample
}

// sample is a count with the first few names.
type sample struct {
	n     int64
	first []string
}

func (s *sample) add(name string) {
	s.n++
	if len(s.first) < named {
		s.first = append(s.first, shown(name))
	}
}

// args are those of a finding about the sample.
func (s *sample) args() service.Args {
	names := s.first
	if s.n > int64(len(names)) {
		names = append(slices.Clip(names), "…")
	}
	return service.Args{"n": s.n, "names": names}
}

func (g *gaps) add(why gap, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.found[why].add(name)
}

func (g *gaps) count(why gap) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.found[why].n
}

// judge adds a finding for each reason.
func (g *gaps) judge(v *service.Verdict, required bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := &g.found[missing]; s.n > 0 && required {
		v.Crit("path-missing", "", s.args())
	}
	if s := &g.found[unreadable]; s.n > 0 {
		v.Crit("unreadable", "", s.args())
	}
	if s := &g.found[vanished]; s.n > 0 {
		v.Warn("vanished", "", s.args())
	}
	if s := &g.found[changing]; s.n > 0 {
		v.Warn("changing", "", s.args())
	}
	if s := &g.found[attributes]; s.n > 0 {
		v.Warn("attributes-unreadable", "", s.args())
	}
}

// shown makes a name fit for people: a path, quoted where it holds what a
// terminal would act on.
func shown(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	plain := utf8.ValidString(name) && strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if plain {
		return name
	}
	return strconv.Quote(name)
}
