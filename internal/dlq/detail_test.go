package dlq

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

func TestDetailsAreCleanedAndTruncated(t *testing.T) {
	for _, s := range []string{strings.Repeat("é", MaxDetail), strings.Repeat("x", MaxDetail-1) + "€€", strings.Repeat("日本", 400)} {
		got := Clean(s)
		if len(got) > MaxDetail || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes, valid %v, ends with %q", len(got), utf8.ValidString(got), got[len(got)-6:])
		}
	}
	if got := Clean("a\nb\x1b[31mc\x00\u009bd\xff\x7f"); got != "a b [31mc  d� " {
		t.Errorf("%q", got)
	}
	if got := Clean("short"); got != "short" {
		t.Errorf("%q", got)
	}
}

func TestFingerprintsGroupEqualFailures(t *testing.T) {
	print := func(rule, detail string) string {
		e := &Entry{Reason: outcome.Refused, Scope: outcome.Message, Cause: outcome.PayloadRefused, Detail: detail}
		e.Envelope = &envelope.Envelope{Channel: "desk", Alert: &alert.Alert{Rule: rule}}
		return e.Fingerprint()
	}
	for _, same := range [][2]string{
		{"not JSON at byte 214 (truncated)", "not JSON at byte 7 (truncated)"},
		{"10.0.0.7:8080 answers 422: order ord-88213", "10.0.0.9:8080 answers 422: order ord-1"},
		{`no field "order_7f3a"`, `no field "qty"`},
		{"550 5.1.1 bob@example.com", "550 5.1.1 eve@example.com"},
	} {
		if print("r", same[0]) != print("r", same[1]) {
			t.Errorf("%q and %q failed alike", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"HTTP 400: bad", "HTTP 422: bad"}, {"no such mailbox", "no such channel"}} {
		if print("r", other[0]) == print("r", other[1]) {
			t.Errorf("%q and %q did not fail alike", other[0], other[1])
		}
	}
	if print("a", "x") != print("b", "x") {
		t.Error("one fault is a group for each rule")
	}
}
