package term_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/term"
)

// TestLiveScreenFitsTheTerminal: what is too long is cut, what does not fit below
// is counted, and nothing is coloured where there is no terminal.
func TestLiveScreenFitsTheTerminal(t *testing.T) {
	var out bytes.Buffer
	live := term.NewLive(&out)
	if !live.Resized() {
		t.Error("a screen that was never drawn has its size")
	}
	live.Draw(func(width int) []term.Line {
		lines := []term.Line{{Text: strings.Repeat("x", width+1), Colour: term.Red}}
		for i := range 30 {
			lines = append(lines, term.Line{Text: fmt.Sprint("line ", i)})
		}
		return lines
	})
	if live.Resized() {
		t.Error("a screen that was drawn has another size")
	}
	live.Close()
	text, enter, leave := out.String(), "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
	if !strings.HasPrefix(text, enter+"\x1b[H") || !strings.HasSuffix(text, "\x1b[J"+leave) {
		t.Errorf("drawn is %q", text)
	}
	rows := strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, enter+"\x1b[H"), "\x1b[J"+leave), "\x1b[K")
	rows = rows[:len(rows)-1]
	if len(rows) != 24 || rows[0] != strings.Repeat("x", 99)+"…" || rows[22] != "\r\nline 21" || rows[23] != "\r\n   … 8 more lines" {
		t.Errorf("%d rows: %q", len(rows), rows)
	}
}
