package compose

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/moby/moby/api/types/container"
)

// maxSaid bounds what is quoted of a program's words, in bytes.
const maxSaid = 200

// lastLine is what the latest health check printed last.
func lastLine(h *container.Health) string {
	if len(h.Log) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(h.Log[len(h.Log)-1].Output), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

var (
	secretName  = regexp.MustCompile(`(?i)pass|secret|token|key|credential|auth`)
	urlPassword = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`)
)

// hide takes out of a program's words what may be a secret: the values of
// variables that are named like one, and passwords in addresses.
func (p *project) hide(c container.InspectResponse, said string) string {
	for _, line := range c.Config.Env {
		name, value, _ := strings.Cut(line, "=")
		if secretName.MatchString(name) && len(value) >= 3 {
			said = strings.ReplaceAll(said, value, "…")
		}
	}
	said = urlPassword.ReplaceAllString(said, "$1…@")
	if len(said) <= maxSaid {
		return said
	}
	cut := maxSaid
	for !utf8.RuneStart(said[cut]) {
		cut--
	}
	return said[:cut] + "…"
}
