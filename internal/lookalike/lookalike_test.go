package lookalike_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/lookalike"
)

const topic = "trade-executions"

func decode(t rapid.TB, data []byte) *event.Event {
	t.Helper()
	c := event.Defaults()
	e, err := event.NewDecoder(&c, nil, nil).Decode(event.Record{Topic: topic, Value: data, Time: time.Date(2026, 3, 4, 9, 8, 7, 0, time.UTC)})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return &e
}

func replace(t rapid.TB, data string, o lookalike.Options) (*lookalike.Result, string) {
	t.Helper()
	if o.Known == nil {
		o.Known = func(path, _ string) bool { return path == "event_type" }
	}
	if o.Seed == nil {
		o.Seed = []byte(data)
	}
	r, err := lookalike.Replace(decode(t, []byte(data)), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(lookalike.JSON(r.Doc))
}

// TestTimesKeepTheirDistances and their forms; a number far from the event's time is no time.
func TestTimesKeepTheirDistances(t *testing.T) {
	r, got := replace(t, `{"occurred_at":"2026-05-15T10:00:00.25+02:00","sent":"2026-05-15 08:00:03","day":"2026-05-15","ms":1778831990123,"s":"1778832000","ago":1700000000}`, lookalike.Options{})
	want := `{"occurred_at":"2026-11-23T16:31:05.25+02:00","sent":"2026-11-23 14:31:08","day":"2026-11-23",`
	if !strings.HasPrefix(got, want) || r.Shifted != 5 {
		t.Errorf("%s, %d times, want %s…", got, r.Shifted, want)
	}
	var doc struct{ MS, Ago json.Number }
	if err := json.Unmarshal([]byte(got), &doc); err != nil {
		t.Fatal(err)
	}
	// That of the milliseconds is ten seconds before the event.
	if at := lookalike.Day.Add(-10*time.Second + 123*time.Millisecond); doc.MS.String() != fmt.Sprint(at.UnixMilli()) {
		t.Errorf("milliseconds %s, want %d", doc.MS, at.UnixMilli())
	}
}

func TestNumbersKeepTheirMagnitude(t *testing.T) {
	for text, form := range map[string]string{
		`"38070.00"`: "#####.00", `-0.0312`: "-0.0###", `200`: "###", `"0.00"`: "0.00", `1.5e10`: "#.#e10", `"007"`: "00#", `12.340`: "##.##0", `0`: "0",
	} {
		_, got := replace(t, `{"n":`+text+`}`, lookalike.Options{})
		got = strings.Trim(strings.TrimSuffix(strings.TrimPrefix(got, `{"n":`), "}"), `"`)
		plain := strings.Trim(text, `"`)
		changed := false
		for i, c := range form {
			switch {
			case c == '#' && (got[i] < '0' || got[i] > '9'), c != '#' && got[i] != byte(c):
				t.Errorf("%s becomes %s, want %s", text, got, form)
			case c == '#' && got[i] != plain[i]:
				changed = true
			}
		}
		if len(got) != len(form) || strings.Contains(form, "#") && (!changed || got[strings.IndexByte(form, '#')] == '0') {
			t.Errorf("%s becomes %s, want another %s", text, got, form)
		}
	}
}

func TestKeptValuesStayAndAreListed(t *testing.T) {
	data := `{"event_type":"order.filled","account":{"id":"ACC-1042","name":"Smith"},"legs":[{"symbol":"AAPL","qty":5000},{"symbol":"MSFT","qty":5000}],"ok":true,"none":null}`
	r, got := replace(t, data, lookalike.Options{Keep: []string{"legs.symbol", "account"}})
	for _, want := range []string{`"AAPL"`, `"MSFT"`, `"ACC-1042"`, `"Smith"`, `"order.filled"`, `"ok":true,"none":null`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	want := []lookalike.Kept{{"event_type", "order.filled"}, {"account.id", "ACC-1042"}, {"account.name", "Smith"}, {"legs.symbol", "AAPL"}, {"legs.symbol", "MSFT"}}
	if !slices.Equal(r.Kept, want) || r.Replaced != 2 || strings.Contains(got, "5000") {
		t.Errorf("%v, %d replaced: %s", r.Kept, r.Replaced, got)
	}
	if _, err := lookalike.Replace(decode(t, []byte(data)), lookalike.Options{Keep: []string{"legs.price"}}); err == nil || err.Error() != "the event has no legs.price" {
		t.Error(err)
	}
}

// TestPreferredLookalikeIsChosen where there is one; otherwise any is.
func TestPreferredLookalikeIsChosen(t *testing.T) {
	data := `{"n":"50000","m":70000}`
	_, got := replace(t, data, lookalike.Options{Prefer: func(doc event.Value) bool { return doc.Get("n").Text() >= "90000" }})
	if !strings.HasPrefix(got, `{"n":"9`) {
		t.Errorf("%s", got)
	}
	if _, got := replace(t, data, lookalike.Options{Prefer: func(event.Value) bool { return false }}); strings.Contains(got, "50000") || got == "" {
		t.Errorf("%s", got)
	}
}

// TestNoOriginalRemains draws events: the shape is the same, each value has the type and
// the length that it had, equal values stay equal, none is an original, none contains one
// of more than three characters, and a second time the result is the same.
func TestNoOriginalRemains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var draw func(depth int) any
		leaf := rapid.OneOf(
			rapid.StringMatching(`[A-Z]{2,4}-[0-9]{3,6}`).AsAny(), rapid.StringMatching(`[a-z]{4,12}( [a-zäößЖé世]{1,6})*`).AsAny(),
			rapid.StringMatching(`-?[1-9][0-9]{3,7}(\.[0-9]{1,4})?`).AsAny(), rapid.String().AsAny(), rapid.Int64Range(-1e9, 1e9).AsAny(),
			rapid.Float64Range(-1e6, 1e6).AsAny(), rapid.Bool().AsAny(), rapid.SampledFrom([]any{nil, "", "---", "2026-03-04T09:08:07Z", "ACC-1042", "ACC-1042", json.Number("6500"), "6500"}),
		)
		draw = func(depth int) any {
			switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case depth < 3 && kind == 0:
				list := []any{}
				for range rapid.IntRange(0, 3).Draw(t, "n") {
					list = append(list, draw(depth+1))
				}
				return list
			case depth < 3 && kind == 1:
				m := make(map[string]any)
				for range rapid.IntRange(0, 3).Draw(t, "n") {
					m[rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "name")] = draw(depth + 1)
				}
				return m
			}
			return leaf.Draw(t, "value")
		}
		doc := map[string]any{"event_type": "order.filled"}
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			doc[rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "name")] = draw(0)
		}
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		ev := decode(t, data)
		r, got := replace(t, string(data), lookalike.Options{})
		if _, again := replace(t, string(data), lookalike.Options{}); again != got {
			t.Fatalf("a second time it is %s, not %s", again, got)
		}
		after := decode(t, []byte(got)) // it can be read
		allowed := make(map[string]bool)
		for _, k := range r.Kept {
			allowed[k.Value] = true
		}
		var originals, written []string
		same := make(map[string]string)
		compare(t, ev.Doc, after.Doc, func(old, new event.Value) {
			o, n := old.Text(), new.Text()
			if old.Kind() == event.String && utf8.RuneCountInString(o) != utf8.RuneCountInString(n) || len(o) != len(n) {
				t.Fatalf("%q becomes %q", o, n)
			}
			if strings.IndexFunc(o, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) < 0 || allowed[o] {
				if o != n {
					t.Fatalf("%q becomes %q, which is to stay", o, n)
				}
				return
			}
			if o == n {
				t.Fatalf("%q stays", o)
			}
			if former, seen := same[o]; seen && former != n {
				t.Fatalf("%q becomes %q and %q", o, former, n)
			}
			same[o] = n
			originals, written = append(originals, o), append(written, n)
		})
		for _, o := range originals {
			for _, n := range written {
				if utf8.RuneCountInString(o) > 3 && strings.Contains(n, o) {
					t.Fatalf("%q contains the original %q", n, o)
				}
			}
		}
	})
}

// compare calls leaf for each pair of single values of two documents of one shape.
func compare(t *rapid.T, old, new event.Value, leaf func(old, new event.Value)) {
	t.Helper()
	if old.Kind() != new.Kind() || old.Len() != new.Len() || old.Name() != new.Name() {
		t.Fatalf("%v %q of %d becomes %v %q of %d", old.Kind(), old.Name(), old.Len(), new.Kind(), new.Name(), new.Len())
	}
	switch old.Kind() {
	case event.Object, event.Array:
		for i := range old.Len() {
			compare(t, old.At(i), new.At(i), leaf)
		}
	case event.String, event.Number:
		leaf(old, new)
	}
}
