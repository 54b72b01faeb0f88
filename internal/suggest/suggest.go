// Package suggest finds the likely correction of a misspelt word.
package suggest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Closest returns the candidate with the least edit distance to word, at most two
// edits and about a third of the word; else the first candidate that begins with
// word, if word has at least three bytes; else "".
func Closest(word string, candidates []string) string {
	best, bound := "", max(1, min(2, (len(word)+1)/3))
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(word, c); d <= bound && c != word {
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
