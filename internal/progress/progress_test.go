package progress

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheBarIsDrawnOnlyWhenItTakesLong(t *testing.T) {
	var out bytes.Buffer
	b := New(&out, "sending", "events")
	b.Expect(10)
	b.Add(1)
	if out.Len() > 0 {
		t.Errorf("a short run drew %q", out.String())
	}
	b.began = b.began.Add(-2 * showAfter)
	b.Add(1)
	if !strings.Contains(out.String(), "2/10") {
		t.Errorf("a long run drew %q, want 2/10", out.String())
	}
	b.Finish()
	if !strings.HasSuffix(out.String(), "\r") {
		t.Errorf("the bar stays on the screen: %q", out.String())
	}
}

func TestNoTerminalIsNoBar(t *testing.T) {
	b := New(nil, "sending", "events")
	b.Expect(10)
	b.Add(1)
	b.Finish()
}
