package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func many(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(n) + " " + noun
}

// verb is a number with the verb that goes with it.
func verb(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

func verb64(n int64, one, several string) string {
	return humanize.Comma(n) + " " + verbOf(n, one, several)
}

func verbOf(n int64, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// verbs is a list of rules with the verb that goes with it.
func verbs(rules []string, one, several string) string {
	if len(rules) == 1 {
		return "rule " + rules[0] + " " + one
	}
	return "rules " + strings.Join(rules, ", ") + " " + several
}
