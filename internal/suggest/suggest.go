// Package suggest finds the likely correction of a misspelt word.
package suggest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Closest returns the candidate with the least edit distance to word, at most two
// edits and about a third of the word, where two swapped letters are one edit; else the first candidate that begins with
// word, if word has at least three bytes; else "".
func Closest(word string, candidates []string) string {
	best, bound := "", max(1, min(2, (len(word)+1)/3))
	for _, c := range candidates {
		d := levenshtein.ComputeDistance(word, c)
		if swapped(word, c) {
			d = 1
		}
		if d <= bound && c != word {
			best, bound = c, d-1
		}
	}
	for _, c := range candidates {
		if best == "" && len(word) >= 3 && c != word && strings.HasPrefix(c, word) {
			best = c
		}
	}
	return best
}

// swapped reports whether two words differ by two neighbouring bytes in exchanged places.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
