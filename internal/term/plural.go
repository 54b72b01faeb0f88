package term

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// Count is a number with its noun, which takes an s.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Many is Count with commas.
func Many(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(n) + " " + noun
}

// Verb is a number with the verb that goes with it.
func Verb(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// Verb64 is Verb with commas.
func Verb64(n int64, one, several string) string {
	return humanize.Comma(n) + " " + VerbOf(n, one, several)
}

// VerbOf is the verb alone.
func VerbOf(n int64, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
