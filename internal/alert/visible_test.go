package alert_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
)

func TestVisibleShowsInvisibleCharacters(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "",
		"plain äöü 雪 🔴 €":                      "plain äöü 雪 🔴 €",
		"a\tb\r\nc":                            "a⟨U+0009⟩b⟨U+000D⟩⟨U+000A⟩c",
		"\x1b[31mred":                          "⟨U+001B⟩[31mred",
		"\u009b31mred\u007f":                   "⟨U+009B⟩31mred⟨U+007F⟩",
		"a\x9b31m":                             "a\ufffd31m", // the same control as one byte, which is no UTF-8
		"evil\u202etxt\u2066":                  "evil⟨U+202E⟩txt⟨U+2066⟩",
		"a\u200bb\u200dc\ufeff":                "a⟨U+200B⟩b⟨U+200D⟩c⟨U+FEFF⟩",
		"a\u061c\u00ad":                        "a⟨U+061C⟩⟨U+00AD⟩",
		"a\u2028b\u2029":                       "a⟨U+2028⟩b⟨U+2029⟩",
		"tag\U000e0041\U000e007f":              "tag⟨U+E0041⟩⟨U+E007F⟩",
		"a\U000e0100b\ufe00":                   "a⟨U+E0100⟩b⟨U+FE00⟩",
		"⚠\ufe0f 5\ufe0f ‼\ufe0f":              "⚠\ufe0f 5\ufe0f ‼\ufe0f",
		"a\ufe0f ⚠\ufe0f\ufe0f":                "a⟨U+FE0F⟩ ⚠\ufe0f⟨U+FE0F⟩",
		"\u115f\u3164\uffa0\u034f\u180b\u17b4": "⟨U+115F⟩⟨U+3164⟩⟨U+FFA0⟩⟨U+034F⟩⟨U+180B⟩⟨U+17B4⟩",
		"\ufff9a\ufffa":                        "⟨U+FFF9⟩a⟨U+FFFA⟩",
		"\u0600١":                              "\u0600١", // an Arabic number sign, which is drawn
	} {
		if got := alert.Visible(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
	if got := alert.VisibleLines("a\x1b\nb\u202e\n"); got != "a⟨U+001B⟩\nb⟨U+202E⟩\n" {
		t.Errorf("%q", got)
	}
}

// TestVisibleCoversAllIgnorableCharacters covers the control and ignorable
// characters of the Unicode Character Database (DerivedCoreProperties.txt).
func TestVisibleCoversAllIgnorableCharacters(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		ignorable := unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Bidi_Control) &&
			!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
		want := ignorable || unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp)
		if got := alert.Visible("a"+string(r)) != "a"+string(r); got != want {
			t.Errorf("%U: shown is %v, want %v", r, got, want)
		}
	}
}

// TestVisibleJSONDecodesToSameText: it has no hidden character and decodes to
// the original text.
func TestVisibleJSONDecodesToSameText(t *testing.T) {
	text := "a\x1b\u009b\u007f\u202e\u200d\ufe0f⚠\ufe0f\U000e0041\u2028 é雪🔴 \\ \" \n"
	var b bytes.Buffer
	enc := json.NewEncoder(alert.VisibleJSON(&b))
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(map[string]any{text: text, "raw": json.RawMessage(`"` + "\u0085\u200b" + `"`)}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if line = strings.TrimLeft(line, "\t"); alert.Visible(line) != line {
			t.Errorf("hidden character in %q", line)
		}
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got[text] != text || got["raw"] != "\u0085\u200b" {
		t.Errorf("%v: %q", err, got)
	}
	if !strings.Contains(b.String(), "⚠\ufe0f") || !strings.Contains(b.String(), "é雪🔴") || !strings.Contains(b.String(), `\udb40\udc41`) {
		t.Errorf("%s", b.String())
	}
}

func BenchmarkVisible(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		alert.Visible("Rejected: NVDA at 183.25, a price that is out of its band")
	}
}
