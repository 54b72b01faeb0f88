package base

import (
	"strings"
	"testing"
)

func TestOnlyYesIsYes(t *testing.T) {
	for in, want := range map[string]bool{"y\n": true, "YES\n": true, " y": true, "": false, "\n": false, "no\n": false, "yess\n": false} {
		if got := readAnswer(strings.NewReader(in)); (got == "y" || got == "yes") != want {
			t.Errorf("%q is %q", in, got)
		}
	}
}
