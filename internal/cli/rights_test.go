package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
)

// TestDocumentedRightsMatchCode: docs/security.md lists what the
// tests on a real broker grant, no more and no less.
func TestDocumentedRightsMatchCode(t *testing.T) {
	line := func(command string, r right) string {
		pattern := "literal"
		if r.prefixed {
			pattern = "prefixed"
		}
		return strings.Join([]string{command, r.operation, r.resource, pattern, strings.Replace(r.name, "GROUP", "notification-service", 1)}, " ")
	}
	want := []string{line("run --create-topics", creating)}
	for command, list := range rights {
		for _, r := range list {
			// What all commands of dead letters share stands once.
			if !strings.HasPrefix(command, "dlq ") || command == "dlq list" || !slices.Contains(reading, r) {
				want = append(want, line(command, r))
			}
		}
	}
	var got []string
	for _, b := range blocks(t) {
		if b.file == "docs/security.md" && b.info == "acl" {
			for l := range strings.Lines(b.text) {
				got = append(got, strings.Join(strings.Fields(l), " "))
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("documented\n%s\nheld\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryCommandWithRightsIsOne: a command that is renamed keeps its rights.
func TestEveryCommandWithRightsIsOne(t *testing.T) {
	root := newRoot(&base.Globals{})
	for name := range rights {
		_, rest, err := root.Find(strings.Fields(name))
		if err != nil || len(rest) > 0 {
			t.Errorf("there is no command %s: %v", name, err)
		}
	}
	discard, _, _ := root.Find([]string{"dlq", "discard"})
	want := "Read on topics prefixed g.dlq., Read on topic g.replay, Describe on group g, Write on topics prefixed g.dlq."
	if got := rightsOf(discard, "g"); got != want {
		t.Errorf("dlq discard needs %s\nwant %s", got, want)
	}
	if got := rightsOf(&cobra.Command{Use: "x"}, "g"); got != "" {
		t.Error(got)
	}
}
