package suggest_test

import (
	"testing"

	"github.com/algotrade/notifier/internal/suggest"
)

func TestClosestFindsLikelyCorrection(t *testing.T) {
	known := []string{"critical", "info", "warning", "when", "where"}
	for word, want := range map[string]string{
		"crtical": "critical", "whn": "when", "wehn": "when", "nifo": "info", "warn": "warning", "whre": "where",
		"x": "", "": "", "completely": "", "wa": "",
	} {
		if got := suggest.Closest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	if got := suggest.Closest("when", []string{"when"}); got != "" {
		t.Errorf("suggests the word itself: %q", got)
	}
}
