// Package nearest finds the word that somebody may have meant.
package nearest

import (
	"slices"
	"strings"
)

// Word returns the known word that takes the fewest changes of letters to reach, whatever
// their case, or "" when even that one is hardly what was meant.
func Word(word string, known []string) string {
	best, least := "", max(2, len([]rune(word))/3)+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if n := Distance(strings.ToLower(word), strings.ToLower(candidate)); n < least && n < len([]rune(candidate)) {
			best, least = candidate, n
		}
	}
	return best
}

// Distance counts the letters to insert, drop or replace to turn a into b (Levenshtein).
func Distance(a, b string) int {
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
