// Package plural counts things in words.
package plural

import "github.com/dustin/go-humanize"

// Count returns a number with its noun: "1 rule", "1,200 rules".
func Count[N int | int64](n N, noun string) string { return Verb(n, noun, noun+"s") }

// Verb returns a number with the words for one or several: "1 is", "2 are".
func Verb[N int | int64](n N, one, several string) string {
	return humanize.Comma(int64(n)) + " " + VerbOf(n, one, several)
}

// VerbOf returns the words for one or several.
func VerbOf[N int | int64](n N, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
