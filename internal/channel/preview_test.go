package channel_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/channel"
)

func TestReadableJSONHasSameValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`\u003c`, `\\u003c`, "<&>", `\`, "\""}))).Draw(t, "texts")
		body, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		readable := channel.Readable(body)
		if json.Unmarshal(body, &want) != nil || json.Unmarshal([]byte(readable), &got) != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s is written %s", body, readable)
		}
	})
	if got := channel.Readable([]byte(`["\u003ca\u0026b\u003e","\\u003c"]`)); got != "[\n  \"<a&b>\",\n  \"\\\\u003c\"\n]" {
		t.Error(got)
	}
}
