package config

import (
	"slices"
	"strings"

	"upkeep/internal/nearest"
)

// unknownKey reports a key that nothing knows, with the nearest word that is
// known.
func (d *decoder) unknownKey(e entry, known []string) {
	if word := nearest.Word(e.name, known); word != "" {
		d.addf(e.path, "unknown key; did you mean %q?", word)
		return
	}
	d.addf(e.path, "unknown key; known here: %s", list(known))
}

func list(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), ", ")
}
