package alert_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/alert"
)

func TestLineBreaksOfValuesAreShown(t *testing.T) {
	text := alert.Text{
		{Text: "The venue said:\n  "},
		{Text: "no room\nsettled: yes", Value: true},
		{Text: ".\n\nSecond"},
		{Text: " paragraph.\n"},
	}
	lines := text.Lines()
	if len(lines) != 3 || lines[0] != "The venue said:" || lines[2] != "Second paragraph." {
		t.Fatalf("lines %q", lines)
	}
	if !strings.HasPrefix(lines[1], "no room") || !strings.HasSuffix(lines[1], "settled: yes.") {
		t.Errorf("the value is split: %q", lines[1])
	}
	if got := (alert.Text)(nil).Lines(); !slices.Equal(got, nil) {
		t.Errorf("empty text: %q, want no lines", got)
	}
}
