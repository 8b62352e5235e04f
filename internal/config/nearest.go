package config

import (
	"slices"
	"strings"
)

// unknownKey reports a key that nothing knows, with the nearest word that is
// known.
func (d *decoder) unknownKey(e entry, known []string) {
	if word := nearest(e.name, known); word != "" {
		d.addf(e.path, "unknown key; did you mean %q?", word)
		return
	}
	d.addf(e.path, "unknown key; known here: %s", list(known))
}

func list(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), ", ")
}

// nearest returns the known word that takes the fewest changes to reach, or ""
// when even that one is hardly what was meant.
func nearest(word string, known []string) string {
	best, least := "", max(2, len([]rune(word))/3)+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if n := distance(strings.ToLower(word), strings.ToLower(candidate)); n < least && n < len([]rune(candidate)) {
			best, least = candidate, n
		}
	}
	return best
}

// distance counts the letters to insert, drop or replace to turn a into b
// (Levenshtein).
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j := range to {
			replaced := diagonal
			if from[i] != to[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
