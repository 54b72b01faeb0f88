// Package suggest finds what was probably meant by a misspelt word.
package suggest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Closest returns the candidate nearest to word by edit distance, or "" when
// none is near: more than two edits, or more than about a third of the word. Failing
// that, a word of three characters or more is taken as the beginning of one.
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
