package event_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// zeros returns a document of n values: an array and its n-1 numbers.
func zeros(n int) string {
	return `{"positions":[0` + strings.Repeat(",0", n-2) + `]}`
}

func quoted(t testing.TB, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const cloudHead = `{"specversion":"1.0","id":"c1","source":"/oms","type":"t",` // four values

var cloudMedia = ce("content-type", "application/cloudevents+json")

func TestRecordKeepsAtMostMaxValues(t *testing.T) {
	objects := `{"positions":[` + strings.Repeat(`{"a":0},`, event.MaxValues/2-1) + `{"a":0}]}` // one more than fits
	base64Of := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	headers := make([]event.Header, event.MaxValues)
	for name, c := range map[string]struct {
		value   string
		headers []event.Header
		fits    bool
	}{
		"as many as fit":                       {zeros(event.MaxValues), nil, true},
		"one more":                             {zeros(event.MaxValues + 1), nil, false},
		"in nested objects":                    {objects, nil, false},
		"of one name":                          {`{"a":0` + strings.Repeat(`,"a":0`, event.MaxValues) + `}`, nil, false},
		"empty arrays":                         {`{"a":[[]` + strings.Repeat(`,[]`, event.MaxValues) + `]}`, nil, false},
		"gzip":                                 {packed(t, zeros(event.MaxValues+1)), nil, false},
		"zstd":                                 {zstded(t, zeros(event.MaxValues+1)), nil, false},
		"encoded twice":                        {quoted(t, zeros(event.MaxValues+1)), nil, false},
		"encoded twice, as many as fit":        {quoted(t, zeros(event.MaxValues)), nil, true},
		"beside the document":                  {`[` + zeros(event.MaxValues) + `,0]`, nil, false},
		"a CloudEvent's data":                  {cloudHead + `"data":` + zeros(event.MaxValues-4) + `}`, cloudMedia, false},
		"a CloudEvent's envelope and its data": {cloudHead + `"x":` + zeros(event.MaxValues/2) + `,"data":` + quoted(t, zeros(event.MaxValues/2)) + `}`, cloudMedia, false},
		"a CloudEvent's envelope and base64":   {cloudHead + `"x":` + zeros(event.MaxValues/2) + `,"data_base64":"` + base64Of(zeros(event.MaxValues/2)) + `"}`, cloudMedia, false},
		"a CloudEvent of half":                 {cloudHead + `"data":` + quoted(t, zeros(event.MaxValues/2)) + `}`, cloudMedia, true},
		"headers":                              {`{}`, headers, true},
		"headers and a value":                  {`{"a":1}`, headers, false},
		"headers alone":                        {`{}`, append(headers, event.Header{}), false},
	} {
		e, err := decoder().Decode(record(c.value, c.headers...))
		switch {
		case c.fits && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.fits && e.Doc.Kind() != event.Object:
			t.Errorf("%s: %s", name, e.Doc.Kind())
		case !c.fits && (cause(err) != outcome.EventTooLarge || !strings.Contains(err.Error(), "more than 100,000 values")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMembersThatNoRuleReadsAreNotCounted(t *testing.T) {
	d := event.NewDecoder(nil, map[string][]string{string(topics.TradeExecutions): {"symbol"}}, nil)
	e, err := d.Decode(record(`{"symbol":"AAPL",` + zeros(3 * event.MaxValues)[1:]))
	if err != nil || e.Doc.Get("symbol").Text() != "AAPL" {
		t.Errorf("%v %v", e.Doc, err)
	}
}

func cause(err error) outcome.Cause {
	var failed *outcome.Error
	if !errors.As(err, &failed) {
		return ""
	}
	return failed.Cause
}

func TestEveryLayerCountsAsUnpacked(t *testing.T) {
	const limit = 64 << 10
	d := event.NewDecoder(&event.Config{MaxUnpacked: limit}, nil, nil)
	doc := func(size int) string { return `{"a":"` + strings.Repeat("x", size-len(`{"a":""}`)) + `"}` }
	stream := func(size int, opts ...zstd.EOption) string { // without its size in the header
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, opts...)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(doc(size)[:1]))
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(doc(size)[1:]))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	twice := func(size int) string { return quoted(t, doc(size)) } // takes 6 bytes more than it holds
	inCloud := func(size int) string { return cloudHead + `"data":` + quoted(t, doc(size)) + `}` }
	cloud := len(inCloud(100)) - 100
	for name, c := range map[string]struct {
		value   string
		headers []event.Header
		layer   string // "": it fits
	}{
		"plain":                      {doc(limit), nil, ""},
		"plain, one more":            {doc(limit + 1), nil, "the value itself"},
		"gzip":                       {packed(t, doc(limit)), nil, ""},
		"gzip, one more":             {packed(t, doc(limit+1)), nil, "gzip"},
		"two members of gzip":        {packed(t, doc(limit)) + packed(t, " "), nil, "gzip"},
		"zstd":                       {zstded(t, doc(limit)), nil, ""},
		"zstd, one more":             {zstded(t, doc(limit+1)), nil, "zstd"},
		"two frames of zstd":         {zstded(t, doc(limit)) + zstded(t, " "), nil, "zstd"},
		"two small frames of zstd":   {zstded(t, doc(100)) + zstded(t, " "), nil, ""},
		"zstd of unknown size":       {stream(limit), nil, ""},
		"zstd of unknown size, more": {stream(limit + 1), nil, "zstd"},
		"twice":                      {twice(limit/2 - 3), nil, ""},
		"twice, one more":            {twice(limit/2 - 2), nil, "a JSON string in the document"},
		"twice, in gzip":             {packed(t, twice(limit/2-2)), nil, "a JSON string in the document"},
		"a CloudEvent":               {inCloud((limit - cloud) / 2), cloudMedia, ""},
		"a CloudEvent, one more":     {inCloud((limit-cloud)/2 + 1), cloudMedia, "data of the CloudEvent"},
		"a CloudEvent in base64": {
			cloudHead + `"data_base64":"` + base64.StdEncoding.EncodeToString([]byte(doc(limit/2))) + `"}`, cloudMedia, "data_base64 of the CloudEvent",
		},
	} {
		e, err := d.Decode(record(c.value, c.headers...))
		switch {
		case c.layer == "" && (err != nil || e.Doc.Get("a").Kind() != event.String):
			t.Errorf("%s: %v %v", name, e.Doc.Kind(), err)
		case c.layer != "" && (cause(err) != outcome.EventTooLarge || !strings.Contains(err.Error(), "larger than 64KiB once unpacked ("+c.layer+"); events.max_unpacked")):
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Decode(record(stream(100, zstd.WithWindowSize(8<<20)))); err != nil {
		t.Errorf("a window of 8 MiB: %v", err)
	}
	if _, err := d.Decode(record(stream(100, zstd.WithWindowSize(16<<20)))); cause(err) != outcome.EventTooLarge || !strings.Contains(err.Error(), "window larger than 8MiB") {
		t.Errorf("a larger window: %v", err)
	}
}

// TestDecompressionBombTakesBoundedMemory: decoding a small record allocates
// at most 32 MiB in all.
func TestDecompressionBombTakesBoundedMemory(t *testing.T) {
	const limit = 32 << 20
	for name, value := range map[string]string{
		"gzip of 8 MiB": packed(t, zeros(4<<20)), "zstd of 8 MiB": zstded(t, zeros(4<<20)),
		"gzip of 2 MiB": packed(t, zeros(1<<20)), "zstd of 2 MiB": zstded(t, zeros(1<<20)), "plain": zeros(1 << 20),
		"objects": packed(t, `{"a":[{}`+strings.Repeat(",{}", 600_000)+`]}`), "escapes": packed(t, `{"a":"`+strings.Repeat(`\n`, 1<<20-10)+`"}`),
	} {
		d := decoder()
		_, _ = d.Decode(record(zstded(t, "{}"))) // initialize the shared decoder
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := d.Decode(record(value))
		runtime.ReadMemStats(&after)
		if err != nil && cause(err) != outcome.EventTooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > limit {
			t.Errorf("%s: %s allocated, more than %s", name, yamldoc.Size(n), yamldoc.Size(limit))
		}
	}
}
