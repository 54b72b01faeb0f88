package console

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/outcome"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

var eventTime = time.Date(2026, 3, 2, 14, 31, 5, 0, time.UTC)

func literal(s string) alert.Text { return alert.Text{{Text: s}} }

func field(label, value string) alert.Field {
	return alert.Field{Label: label, Value: alert.Text{{Text: value, Value: true}}}
}

func rejected() channel.Message {
	return channel.Message{
		Alert: alert.Alert{
			Severity:  alert.Warning,
			Title:     literal("Rejected: NVDA buy 400 (insufficient buying power)"),
			Fields:    []alert.Field{field("strategy", "mean-rev-7"), field("venue", "XNAS"), field("order", "ord-88213")},
			EventTime: eventTime,
		},
		Now: eventTime.Add(3 * time.Millisecond),
	}
}

func drawdown() channel.Message {
	return channel.Message{
		Alert: alert.Alert{Severity: alert.Critical, Title: literal("Drawdown 8.1 % on ACC-1007"), EventTime: eventTime},
		Now:   eventTime.Add(4 * time.Second),
	}
}

func screen() []channel.Message {
	late := drawdown()
	late.Now = eventTime.Add(4*time.Minute + 10*time.Second)
	late.MayBeDuplicate, late.Suppressed, late.SuppressedSince = true, 14, eventTime.Add(-5*time.Hour)
	late.Instead = &channel.Instead{Channel: "desk-slack", Cause: "suspended: invalid_auth"}
	both := rejected()
	both.MayBeDuplicate, both.Suppressed, both.SuppressedSince = true, 2, eventTime.Add(-time.Minute)
	long := rejected()
	long.Alert.Severity = alert.Info
	long.Alert.Title = literal("Rejected: a title that goes on and on and on until there is no room left for it")
	long.Alert.Text = alert.Text{
		{Text: "The venue said:\n"},
		{Text: "no\x1b[31m room\nfor a forged line " + strings.Repeat("long", 40), Value: true},
		{Text: "\nSecond paragraph of the rule."},
	}
	wide := rejected()
	wide.Alert.Title = literal("注文が拒否されました: 7203.T 買い 400 株 (余力不足のため受け付けられません)")
	return []channel.Message{rejected(), drawdown(), late, both, long, wide}
}

func render(l layout, messages ...channel.Message) []byte {
	var b bytes.Buffer
	for _, m := range messages {
		b.Write(l.block(m))
	}
	return b.Bytes()
}

func TestBlocksMatchGoldenFiles(t *testing.T) {
	l := layout{width: Width, channel: "desk", zone: time.UTC}
	golden(t, "plain.txt", render(l, screen()...))
	states := []channel.Message{channeltest.Resolved(), channeltest.Reminder(), channeltest.Instead()}
	golden(t, "states.txt", render(l, states...))
	l.width = 72
	golden(t, "narrow.txt", render(l, screen()...))
	l.width, l.colour = Width, true
	golden(t, "colour.txt", render(l, rejected(), drawdown(), channeltest.Resolved()))
	l.colour = false
	digests := []channel.Message{channeltest.Digest(3), channeltest.Digest(4800), severalGroups()}
	l.width = 80
	wide := render(l, digests...)
	l.width = Width
	golden(t, "digest.txt", append(wide, render(l, digests...)...))
}

// severalGroups is a digest of several groups.
func severalGroups() channel.Message {
	m := channeltest.Digest(311)
	m.Digest.Group, m.Digest.Groups, m.Digest.New = nil, 14, 311
	m.Digest.Items = m.Digest.Items[1:]
	m.Alert = m.Digest.Items[0]
	m.MayBeDuplicate = true
	return m
}

func TestTitlesKeepTheirAmountsAtEightyColumns(t *testing.T) {
	m := rejected()
	const title = "Large fill: buy 620 AAPL @ 189.97 = 117,781.40 USD"
	m.Alert.Title = literal(title)
	got := string(render(layout{width: 80, channel: "desk", zone: time.UTC}, m))
	if text := strings.Join(strings.Fields(strings.ReplaceAll(got, "→ desk", "")), " "); !strings.Contains(text, title) {
		t.Errorf("the title is cut:\n%s", got)
	}
	for line := range strings.Lines(got) {
		if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestLongFieldsAreSplitBetweenWords, and at the width only where one word is too long.
func TestLongFieldsAreSplitBetweenWords(t *testing.T) {
	for text, want := range map[string]string{
		"worst AMD buy 700 (trading halted)": "worst AMD buy|700 (trading|halted)",
		"worst buy 700 of":                   "worst buy 700|of",
		"al_0123456789abcdef gone":           "al_0123456789|abcdef gone",
	} {
		if got := strings.Join(wrap(nil, []string{text}, between, 13, 13), "|"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNotesBelowCountAsDetailLines: they do not make a long block longer.
func TestNotesBelowCountAsDetailLines(t *testing.T) {
	m := rejected()
	m.Alert.Fields, m.Alert.Text = nil, alert.Text{{Text: strings.Repeat("line\n", 20), Value: false}}
	m.MayBeDuplicate, m.Suppressed = true, 7
	lines := strings.Split(strings.TrimSuffix(string(layout{width: 64, channel: "desk", zone: time.UTC}.block(m)), "\n"), "\n")
	if len(lines) != 2+maxLines || !strings.HasSuffix(lines[7], "line …") || !strings.HasSuffix(lines[8], "+7 · may be a duplicate") {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

func TestBlocksFitTerminalWithoutControlCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anything := rapid.OneOf(rapid.String(), rapid.StringMatching("(\x1b\\[[0-9]+m|[\u202e\u200b\r\n]|[a-z ]{1,40}|[日本語]{1,30}){0,10}"))
		value := func(label string) alert.Text {
			return alert.Text{{Text: anything.Draw(t, label), Value: true}}
		}
		m := rejected()
		m.Alert.Title, m.Alert.Text = value("title"), value("text")
		m.Alert.Fields = []alert.Field{{Label: anything.Draw(t, "label"), Value: value("field")}}
		m.Now = m.Now.Add(time.Duration(rapid.IntRange(0, 1e15).Draw(t, "delay")))
		m.MayBeDuplicate = rapid.Bool().Draw(t, "repeat")
		m.Suppressed = rapid.IntRange(0, 1000).Draw(t, "suppressed")
		l := layout{width: rapid.IntRange(64, 200).Draw(t, "width"), channel: "desk", zone: time.UTC}
		lines := strings.Split(strings.TrimSuffix(string(l.block(m)), "\n"), "\n")
		if len(lines) > 3+maxLines {
			t.Fatalf("%d lines", len(lines))
		}
		for _, line := range lines {
			if w := uniseg.StringWidth(line); w > l.width {
				t.Fatalf("%d columns of %d: %q", w, l.width, line)
			}
			if i := strings.IndexFunc(line, unicode.IsControl); i >= 0 {
				t.Fatalf("a control character reaches the terminal: %q", line)
			}
		}
	})
}

func TestSendWritesOneBlock(t *testing.T) {
	var out bytes.Buffer
	c, err := New(Config{}, "desk", &out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), rejected()); err != nil {
		t.Fatal(err)
	}
	want := layout{width: Width, channel: "desk", zone: time.Local}.block(rejected())
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("wrote %q, want %q", out.Bytes(), want)
	}
}

func TestColourRequiresCapableTerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	for _, c := range []struct {
		name, noColour, term string
		w                    io.Writer
		want                 bool
	}{
		{"a terminal", "", "xterm", terminal, true},
		{"NO_COLOR is set", "1", "xterm", terminal, false},
		{"a dumb terminal", "", "dumb", terminal, false},
		{"no terminal", "", "xterm", &bytes.Buffer{}, false},
	} {
		t.Setenv("NO_COLOR", c.noColour)
		t.Setenv("TERM", c.term)
		if got := NewWriter(c.w).Colour(); got != c.want {
			t.Errorf("%s: colour %v, want %v", c.name, got, c.want)
		}
	}
}

func TestClosedOutputIsTransient(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	closed, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, out := range map[string]*os.File{"broken pipe": w, "file already closed": closed} {
		c, _ := New(Config{}, "desk", out)
		_, err = c.Send(t.Context(), rejected())
		e := outcome.Classify(err)
		if class := e.Cause.Class(); class.Scope != outcome.Channel || class.Permanence != outcome.Transient {
			t.Errorf("%s: %v is %v", name, err, class)
		}
		if want := "console: " + name; e.Detail != want {
			t.Errorf("detail %q, want %q", e.Detail, want)
		}
	}
}

func TestBlockedTerminalDoesNotBlockSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		c, _ := New(Config{}, "desk", w)
		send := func(parent context.Context) outcome.Cause {
			ctx, cancel := context.WithTimeout(parent, time.Second)
			defer cancel()
			_, err := c.Send(ctx, rejected())
			if err == nil {
				return ""
			}
			return outcome.Classify(err).Cause
		}
		if got := send(t.Context()); got != outcome.Timeout {
			t.Errorf("the block that is stuck: %q, want %q", got, outcome.Timeout)
		}
		if got := send(t.Context()); got != outcome.Unreachable {
			t.Errorf("the next block: %q, want %q", got, outcome.Unreachable)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if got := send(cancelled); got != outcome.Abandoned {
			t.Errorf("a cancelled block: %q, want %q", got, outcome.Abandoned)
		}
		go func() { _, _ = io.Copy(io.Discard, r) }()
		synctest.Wait()
		if got := send(t.Context()); got != "" {
			t.Errorf("after the terminal: %q, want no error", got)
		}
		r.Close()
	})
}

func TestConcurrentBlocksDoNotInterleave(t *testing.T) {
	var torn tearing
	shared := NewWriter(&torn)
	a, _ := New(Config{}, "a", shared)
	b, _ := New(Config{}, "b", shared)
	done := make(chan error, 1)
	go func() {
		for range 50 {
			if _, err := a.Send(context.Background(), rejected()); err != nil {
				done <- err
				return
			}
			_, _ = shared.Write([]byte("progress\n"))
		}
		done <- nil
	}()
	for range 50 {
		if _, err := b.Send(t.Context(), drawdown()); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if torn.overlapped.Load() {
		t.Error("two writes ran at once")
	}
}

// tearing notices when a write starts before another has ended.
type tearing struct {
	writing    atomic.Int32
	overlapped atomic.Bool
}

func (w *tearing) Write(p []byte) (int, error) {
	if w.writing.Add(1) > 1 {
		w.overlapped.Store(true)
	}
	runtime.Gosched()
	w.writing.Add(-1)
	return len(p), nil
}

func TestInvisibleCharactersAreEscapedInBlocks(t *testing.T) {
	var out bytes.Buffer
	c, err := New(Config{}, "desk", &out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), channeltest.Hostile()); err != nil {
		t.Fatal(err)
	}
	channeltest.AssertEscaped(t, "the block", out.String())
}
