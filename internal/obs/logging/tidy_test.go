package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/obs/logging"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

const token = `xoxb-"t0ken"<of>&us`

type marshaled string

func (m marshaled) MarshalText() ([]byte, error) { return []byte(m), nil }

type broken struct{}

func (*broken) Error() string { panic("no") }

// TestNoLogLineHoldsASecret, wherever in a line it stands and however it is
// written, in both formats.
func TestNoLogLineHoldsASecret(t *testing.T) {
	for _, text := range []bool{true, false} {
		var b bytes.Buffer
		log := logging.New(&b, slog.LevelDebug, text, secret.NewRedactor(secret.New(token)))
		for _, s := range channeltest.Encodings {
			shown := "refused: " + s.Encode(token)
			log.With("with", shown).WithGroup("group").Error(shown, "text", shown, "err", errors.New(shown), "any", struct{ S string }{shown},
				"marshaled", marshaled(shown), "cause", outcome.Cause(shown), "list", []string{"a", shown}, slog.Group("inner", "x", shown),
				"wrapped", fmt.Errorf("a: %w", errors.New(shown)), "remedy", shown)
			logging.Unlimited(log.Logger).Debug(shown, "err", errors.New(shown))
		}
		if written, leaks := channeltest.FindSecret(b.String(), token); leaks {
			t.Errorf("text %v: shown is %s:\n%s", text, written, b.String())
		}
		if n := strings.Count(b.String(), secret.Hidden); n < 12*len(channeltest.Encodings) {
			t.Errorf("text %v: only %d were taken out", text, n)
		}
	}
}

// TestLongValuesAreCut between characters, with how much is left out; what a
// person needs all of is not.
func TestLongValuesAreCut(t *testing.T) {
	var b bytes.Buffer
	log := logging.New(&b, slog.LevelInfo, false, nil)
	long := strings.Repeat("é", 5000)
	remedy := "do this: " + strings.Repeat("and that ", 100)
	log.Error("a", "text", long, "err", errors.New("x"+long+": run 'notifier topics check'"), "cause", outcome.Cause(long), "any", map[string]string{"k": long},
		"problem", remedy, "remedy", remedy, "warning", remedy, "stack", strings.Repeat("frame\n", 10_000), "list", strings.Fields(strings.Repeat("topic-name ", 100)),
		"short", strings.Repeat("y", 256), slog.Group("g", "text", long), "nil", nil, "broken", (*broken)(nil), "number", 7)
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	text := func(key string) string { s, _ := line[key].(string); return s }
	for key, want := range map[string]string{
		"text":    strings.Repeat("é", 96) + "… (9744 bytes cut) …" + strings.Repeat("é", 32),
		"problem": remedy,
		"remedy":  remedy,
		"short":   strings.Repeat("y", 256),
		"broken":  "!PANIC: string",
	} {
		if text(key) != want {
			t.Errorf("%s is %q, want %q", key, text(key), want)
		}
	}
	if text("warning") != remedy || !strings.HasSuffix(text("err"), ": run 'notifier topics check'") || !strings.HasPrefix(text("any"), "map[k:é") {
		t.Errorf("%s", b.String())
	}
	for key, most := range map[string]int{"text": 300, "err": 300, "cause": 300, "any": 300, "stack": 8<<10 + 40} {
		if n := len(text(key)); n == 0 || n > most || !strings.Contains(text(key), "bytes cut") || !utf8.ValidString(text(key)) {
			t.Errorf("%s has %d bytes: %q", key, n, text(key))
		}
	}
	if list, _ := line["list"].([]any); len(list) > 30 || list[len(list)-1] != "… (75 more)" && !strings.HasPrefix(list[len(list)-1].(string), "… (") {
		t.Errorf("the list is %v", line["list"])
	}
	if group, _ := line["g"].(map[string]any); !strings.Contains(group["text"].(string), "bytes cut") {
		t.Errorf("the group is %v", line["g"])
	}
	if line["nil"] != nil || line["number"] != 7.0 {
		t.Errorf("%v, %v", line["nil"], line["number"])
	}
}

// TestLogEscapesControlCharacters by a terminal, and JSON is the text that was meant.
func TestLogEscapesControlCharacters(t *testing.T) {
	const hostile = "a\x1b[31m\u009b\u202e\u200d\ufe0f\U000e0041\u2028z"
	for _, text := range []bool{true, false} {
		var b bytes.Buffer
		log := logging.New(&b, slog.LevelInfo, text, nil)
		log.With("with", hostile).Error(hostile, "text", hostile, "err", errors.New(hostile), "only", "\ufe0f\u3164", hostile, "key")
		line := strings.TrimSuffix(b.String(), "\n")
		if alert.Visible(line) != line {
			t.Errorf("text %v: obeyed: %q", text, line)
		}
		if text {
			continue
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil || got["text"] != hostile || got["msg"] != hostile || got[hostile] != "key" {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func BenchmarkLogLine(b *testing.B) {
	r := secret.NewRedactor(secret.New("https://hook.example.com/v1/k3y-in-the-path?sig=abcdef0"))
	log := logging.New(discard{}, slog.LevelInfo, false, r)
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(context.Background(), slog.LevelInfo, "delivered", slog.String("channel", "risk-hook"), slog.String("topic", "trade-executions"),
			slog.Int("partition", 1), slog.Int64("offset", 88213), slog.String("delivery", "dl_o7uh42hamzjwrc2ihs5vdge7j6"))
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
