package term

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

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

func Verb64(n int64, one, several string) string {
	return humanize.Comma(n) + " " + VerbOf(n, one, several)
}

func VerbOf(n int64, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// Verbs is a list of rules with the verb that goes with it.
func Verbs(rules []string, one, several string) string {
	if len(rules) == 1 {
		return "rule " + rules[0] + " " + one
	}
	return "rules " + strings.Join(rules, ", ") + " " + several
}
