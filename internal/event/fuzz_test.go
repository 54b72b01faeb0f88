package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// FuzzDecode compares the decoder with encoding/json: apart from repairs, both
// accept the same documents and read the same values. What a scanner accepts, the
// decoder reads without a repair, and both find the same values.
func FuzzDecode(f *testing.F) {
	for _, s := range configs.Samples() {
		f.Add(s.Data)
	}
	for _, s := range []string{
		`{"a":NaN}`, `{"a":[1,2.50,-0,1e5],"b":{"c":"\u00e9\ud83d\ude00\ud83d"}}`, `"{\"a\":1}"`, "\x00\x00\x00\x00\x01{}", `{"a":1,"a":2}`, "\x80\x04", "{}{}",
		`{"event_id":["x"],"event_type":"","occurred_at":[2026,11,23,14,31,1]}`, `{"event_id":1.797693134862316e+308}`, "\xef\xbb\xbf{}", `{"occurred_at":"20261123-14:31:01"}`,
	} {
		f.Add([]byte(s))
	}
	d := decoder()
	scanner := d.Scanner(string(topics.TradeExecutions))
	paths := map[int][]string{}
	for _, path := range [][]string{{"a"}, {"b"}, {"b", "c"}, {"event_type"}, {"error", "code"}, {"metrics", "sharpe"}} {
		paths[scanner.Find(path)] = path
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if data == nil {
			data = []byte{}
		}
		before := bytes.Clone(data)
		e, err := d.Decode(record(string(data)))
		if !bytes.Equal(before, data) {
			t.Fatal("the record's bytes were changed")
		}
		found := make([]event.Found, scanner.Size())
		if scanner.Scan(data, arrived, time.Time{}, found) {
			if err != nil || e.Repaired != "" {
				t.Fatalf("the scanner accepts it: error %v, repair %q", err, e.Repaired)
			}
			for at, path := range paths {
				want := e.Doc.Lookup(path...)
				got, read := found[at].Value()
				if got.Kind() != want.Kind() || read && (got.Text() != want.Text() || got.Float() != want.Float() || got.Bool() != want.Bool()) || read != (got.Kind() < event.Array) {
					t.Fatalf("%v: found %s %q, want %s %q", path, got.Kind(), got.Text(), want.Kind(), want.Text())
				}
			}
		}
		var classified *outcome.Error
		if err != nil && !errors.As(err, &classified) {
			t.Fatalf("unclassified: %v", err)
		}
		if err != nil && (classified.Cause.Class().Reason != outcome.Undecodable || !utf8.ValidString(classified.Detail)) {
			t.Fatalf("%s %q", classified.Cause, classified.Detail)
		}
		if len(data) == 0 || data[0] == 0 || data[0] == 0x1f || data[0] == 0x28 || data[0] == 0x80 || data[0] == '"' {
			return // not plain JSON
		}
		var want any
		theirs := json.Unmarshal(data, &want)
		_, object := want.(map[string]any)
		switch accepted := theirs == nil && object && utf8.Valid(data); {
		case accepted && err == nil:
			same(t, e.Doc, want)
		case accepted && classified.Cause != outcome.TooDeep:
			t.Fatalf("refused with %v, encoding/json accepts", err)
		case !accepted && err == nil && !bytes.Contains(data, []byte("NaN")) && !bytes.Contains(data, []byte("Infinity")) && !bytes.HasPrefix(data, []byte("\ufeff")) && !hasHuge(e.Doc):
			t.Fatalf("accepted, encoding/json says %v", theirs)
		}
	})
}

func hasHuge(v event.Value) bool {
	if math.IsInf(v.Float(), 0) {
		return true
	}
	for i := range v.Len() {
		if hasHuge(v.At(i)) {
			return true
		}
	}
	return false
}

func same(t *testing.T, got event.Value, want any) {
	t.Helper()
	ok := true
	switch w := want.(type) {
	case nil:
		ok = got.Kind() == event.Null
	case bool:
		ok = got.Kind() == event.Bool && got.Bool() == w
	case float64:
		if math.Abs(w) >= 1.7976e308 {
			want = nil
			same(t, got, want)
			return
		}
		ok = got.Kind() == event.Number && got.Float() == w
	case string:
		ok = got.Kind() == event.String && got.Text() == w
	case []any:
		ok = got.Kind() == event.Array && got.Len() == len(w)
		for i := 0; ok && i < len(w); i++ {
			same(t, got.At(i), w[i])
		}
	case map[string]any:
		ok = got.Kind() == event.Object && got.Len() >= len(w)
		for name, member := range w {
			same(t, got.Get(name), member)
		}
	}
	if !ok {
		t.Fatalf("got %s %q, want %v", got.Kind(), got.Text(), want)
	}
}
