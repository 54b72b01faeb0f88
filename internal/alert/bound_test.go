package alert_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
)

// TestBoundKeepsOrdinaryAlert: an alert within the bounds does not change.
func TestBoundKeepsOrdinaryAlert(t *testing.T) {
	make := func() alert.Alert {
		return alert.Alert{
			Rule: "r", Severity: alert.Critical, Key: []string{"ACC-1", "", strings.Repeat("k", alert.MaxID)}, EventID: strings.Repeat("i", alert.MaxID),
			Title: alert.Text{{Text: "Rejected: "}, {Text: strings.Repeat("ü", alert.MaxValue), Value: true}}, Text: alert.Text{{Text: "<a> & b"}},
			Fields: []alert.Field{{Label: "order", Value: alert.Text{{Text: "o-1", Value: true}}}},
		}
	}
	a, want := make(), make()
	if a.Bound(); !reflect.DeepEqual(a, want) {
		t.Errorf("changed to %+v", a)
	}
}

// TestBoundShortensEachLongMember: each is cut on a rune boundary and Shortened is set.
func TestBoundShortensEachLongMember(t *testing.T) {
	long := strings.Repeat("€", 1<<20)
	value := func() alert.Text { return alert.Text{{Text: "Rejected: "}, {Text: long, Value: true}} }
	a := alert.Alert{Rule: "r", EventID: long, EventType: long, Title: value(), Text: value(), Fields: []alert.Field{{Label: "l", Value: value()}}}
	a.Bound()
	for name, s := range map[string]string{"event id": a.EventID, "event type": a.EventType} {
		if len(s) > alert.MaxID || len(s) < alert.MaxID-utf8.UTFMax || !strings.HasSuffix(s, "…") || !utf8.ValidString(s) {
			t.Errorf("%s is %d bytes: %q", name, len(s), s)
		}
	}
	for name, s := range map[string]alert.Text{"title": a.Title, "text": a.Text, "field": a.Fields[0].Value} {
		if s[0].Text != "Rejected: " || utf8.RuneCountInString(s[1].Text) != alert.MaxValue || !strings.HasSuffix(s[1].Text, "…") {
			t.Errorf("%s is %d runes", name, utf8.RuneCountInString(s[1].Text))
		}
	}
	if !a.Shortened {
		t.Error("Shortened is not set")
	}
}

// TestBoundKeepsKeysDistinct: two long keys with the same beginning differ, and a
// second call does not change them.
func TestBoundKeepsKeysDistinct(t *testing.T) {
	long := strings.Repeat("k", 100_000)
	key := func(part string) string {
		a := alert.Alert{Key: []string{part}}
		a.Bound()
		if len(a.Key[0]) > alert.MaxID {
			t.Errorf("%d bytes of key", len(a.Key[0]))
		}
		return a.Key[0]
	}
	if one, other := key(long+"1"), key(long+"2"); one == other || one != key(long+"1") {
		t.Errorf("%q and %q", one, other)
	}
}

// TestBoundFitsAnyAlert: it takes at most MaxJSON bytes, decodes again, and keeps its
// title.
func TestBoundFitsAnyAlert(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		text := func() string {
			s := []string{"x", "<", "\x00", "\u202e", "日", "😀", `"`, "\u2028"}[r.IntN(8)]
			return strings.Repeat(s, []int{0, 1, 30, 500, 8000}[r.IntN(5)])
		}
		value := func() (list alert.Text) {
			for range r.IntN(8) {
				list = append(list, alert.Part{Text: text(), Value: r.IntN(4) > 0})
			}
			return list
		}
		a := alert.Alert{
			ID: "al_x", Rule: "r", Severity: alert.Critical, EventID: text(), EventType: text(), Title: append(alert.Text{{Text: "Rejected"}}, value()...), Text: value(), Topic: "t",
		}
		for range r.IntN(17) {
			a.Key = append(a.Key, text())
		}
		for i := range r.IntN(60) {
			a.Fields = append(a.Fields, alert.Field{Label: fmt.Sprintf("label %d", i), Value: value()})
		}
		a.Bound()
		b, err := a.JSON()
		if err != nil || len(b) > alert.MaxJSON {
			t.Fatalf("seed %d: %d bytes, %v", seed, len(b), err)
		}
		var back alert.Alert
		if err := json.Unmarshal(b, &back); err != nil || !strings.HasPrefix(back.Title.String(), "Rejected") || len(back.Key) != len(a.Key) {
			t.Fatalf("seed %d: reads back as %+v, %v", seed, back, err)
		}
	}
}

// TestBoundDoesNotEncodeOrdinaryAlert: it allocates nothing.
func TestBoundDoesNotEncodeOrdinaryAlert(t *testing.T) {
	a := alert.Alert{
		ID: "al_x", Rule: "order-rejected", Severity: alert.Warning, Key: []string{"ACC-1", "R7"}, EventID: strings.Repeat("i", 36), EventType: "order.rejected", Topic: "trade-executions",
		Title: alert.Text{{Text: "Rejected: "}, {Text: "AAPL", Value: true}}, Fields: []alert.Field{{Label: "order", Value: alert.Text{{Text: "o-1", Value: true}}}},
	}
	if n := testing.AllocsPerRun(100, a.Bound); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestJSONHasNoHTMLEscapes: 300 KB of < are 300 KB, not 1.8 MB.
func TestJSONHasNoHTMLEscapes(t *testing.T) {
	a := alert.Alert{Title: alert.Text{{Text: "<&>"}, {Text: "<&>", Value: true}}}
	b, err := a.JSON()
	if err != nil || !strings.Contains(string(b), `["<&>",{"v":"<&>"}]`) {
		t.Errorf("%s %v", b, err)
	}
}
