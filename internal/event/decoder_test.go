package event_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

var arrived = time.Date(2026, 11, 23, 14, 31, 6, 0, time.UTC)

func record(value string, headers ...event.Header) event.Record {
	return event.Record{Topic: string(topics.TradeExecutions), Partition: 3, Offset: 118, Key: []byte("ses-7f3a"), Value: []byte(value), Headers: headers, Time: arrived}
}

func decoder() *event.Decoder { return event.NewDecoder(nil, nil, nil) }

func TestEverySampleDecodes(t *testing.T) {
	for _, s := range configs.Samples() {
		e, err := decoder().Decode(event.Record{Topic: string(s.Topic), Value: s.Data, Time: arrived})
		if err != nil {
			t.Errorf("%s/%s: %v", s.Topic, s.Name, err)
			continue
		}
		if kind, _, _ := strings.Cut(s.Name, "-"); e.Type != kind {
			t.Errorf("%s/%s: its type is %q", s.Topic, s.Name, e.Type)
		}
		if len(e.ID) != 26 || e.Time.Year() != 2026 || e.Time.Equal(arrived) {
			t.Errorf("%s/%s: id %q, time %s", s.Topic, s.Name, e.ID, e.Time)
		}
	}
}

func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstded(t testing.TB, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func TestPoisonErrorNamesCause(t *testing.T) {
	whole := packed(t, `{"a":1}`)
	for name, c := range map[string]struct {
		value  string
		cause  outcome.Cause
		detail string
	}{
		"empty":                   {"", outcome.NotJSON, "not JSON at byte 0 (an empty value)"},
		"only space":              {" \n", outcome.Truncated, "not JSON at byte 2 (truncated)"},
		"html":                    {"<html>", outcome.NotJSON, "not JSON at byte 0 (expected a value)"},
		"truncated in a string":   {`{"a":"b`, outcome.Truncated, "not JSON at byte 7 (truncated)"},
		"truncated after comma":   {`{"a":1,`, outcome.Truncated, "not JSON at byte 7 (truncated)"},
		"truncated in a literal":  {`{"a":tr`, outcome.Truncated, "not JSON at byte 7 (truncated)"},
		"truncated in a number":   {`{"a":-`, outcome.Truncated, "not JSON at byte 6 (truncated)"},
		"truncated in an escape":  {`{"a":"\u12`, outcome.Truncated, "not JSON at byte 10 (truncated)"},
		"no quotes":               {`{a:1}`, outcome.NotJSON, "not JSON at byte 1 (expected a member's name)"},
		"a comma too many":        {`{"a":1,}`, outcome.NotJSON, "not JSON at byte 7 (a comma before }: write the document with a JSON library, such as json.dumps(…))"},
		"leading zero":            {`{"a":01}`, outcome.NotJSON, "not JSON at byte 6 (expected a comma or })"},
		"control character":       {"{\"a\":\"\x01\"}", outcome.NotJSON, "not JSON at byte 6 (a control character in a string)"},
		"unknown escape":          {`{"a":"\x41"}`, outcome.NotJSON, "not JSON at byte 7 (an unknown escape)"},
		"trailing bytes":          {`{"a":1}}`, outcome.TrailingBytes, "the document ends at byte 7, and more follows (bytes: 1): send one document per record"},
		"a line of a log":         {"2026-11-30 06:22:54,048 | INFO", outcome.NotJSON, "not JSON: a number and then other text at byte 4"},
		"NUL bytes":               {"{\"a\":1}\n\x00", outcome.TrailingBytes, "the document ends at byte 8, and NUL bytes follow (1): send it without them"},
		"two documents":           {`{"a":1} {"b":2}`, outcome.SeveralDocuments, "a second document after the first, which ends at byte 8: send one document per record"},
		"documents with commas":   {`{"a":1},{"b":2}`, outcome.SeveralDocuments, "a second document after the first, which ends at byte 7: send one document per record"},
		"a cut second document":   {"{\"a\":1}\n{\"b", outcome.SeveralDocuments, "a second document after the first, which ends at byte 8: send one document per record"},
		"not utf-8":               {"{\"a\":\"\xff\"}", outcome.NotUTF8, "not UTF-8 at byte 6"},
		"latin-1":                 {"{\"a\":\"caf\xe9\"}", outcome.NotUTF8, "not UTF-8 at byte 9"},
		"an array":                {`[{"a":1}]`, outcome.NotAnObject, "an event is a JSON object, found an array"},
		"a number":                {`42`, outcome.NotAnObject, "an event is a JSON object, found a number"},
		"null":                    {`null`, outcome.NotAnObject, "an event is a JSON object, found null"},
		"a plain string":          {`"hello"`, outcome.NotAnObject, "an event is a JSON object, found a string"},
		"a string with half":      {`"{\"a\":"`, outcome.Truncated, "inside a JSON string: not JSON at byte 5 (truncated)"},
		"too deep":                {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), outcome.TooDeep, "nested deeper than 64 levels at byte 320"},
		"pickle 4":                {"\x80\x04\x95\x10", outcome.Pickle, "a Python pickle (protocol 4), not JSON: send json.dumps(…) instead"},
		"pickle 5":                {"\x80\x05\x95\x10", outcome.Pickle, "a Python pickle (protocol 5), not JSON: send json.dumps(…) instead"},
		"a Python dict":           {`{'a': 1, 'b': None}`, outcome.PythonText, "the text of a Python dict, not JSON: send json.dumps(…) of it instead of str(…)"},
		"a list of Python dicts":  {`[{'a': 1}]`, outcome.PythonText, "the text of a Python dict, not JSON: send json.dumps(…) of it instead of str(…)"},
		"True of Python":          {`{"a":True}`, outcome.PythonText, "not JSON at byte 5 (True is Python: send json.dumps(…) instead of str(…) or an f-string)"},
		"None of Python":          {`{"a": [1, None ], "b": 2}`, outcome.PythonText, "not JSON at byte 10 (None is Python: send json.dumps(…) instead of str(…) or an f-string)"},
		"nan of Python":           {`{"px":nan}`, outcome.PythonText, "not JSON at byte 6 (nan is Python: send json.dumps(…) instead of str(…) or an f-string)"},
		"both quotes of Python":   {`{"it's": 'x'}`, outcome.PythonText, "not JSON at byte 9 (a text in single quotes, as Python writes it: send json.dumps(…) instead of str(…))"},
		"a name in Python quotes": {`{"a": 1, 'b': 2}`, outcome.PythonText, "not JSON at byte 9 (a text in single quotes, as Python writes it: send json.dumps(…) instead of str(…))"},
		"a time of Python":        {`{"at":datetime.datetime(2026, 11, 29)}`, outcome.PythonText, "not JSON at byte 6 (the text of a Python object (repr): send its value or its dict with json.dumps(…))"},
		"an enum of Python":       {`{"side":<Side.BUY: 1>}`, outcome.PythonText, "not JSON at byte 8 (the text of a Python object (repr): send its value or its dict with json.dumps(…))"},
		"a comma after the last":  {`{"a":[1, 2, ]}`, outcome.NotJSON, "not JSON at byte 12 (a comma before ]: write the document with a JSON library, such as json.dumps(…))"},
		"a word like None":        {`{"a":Nonesuch}`, outcome.NotJSON, "not JSON at byte 5 (expected a value)"},
		"no value":                {`{"a":}`, outcome.NotJSON, "not JSON at byte 5 (expected a value)"},
		"quotes of a shell":       {`'{"a":1}'`, outcome.NotJSON, "not JSON at byte 0 (expected a value)"},
		"Python bytes":            {`b'{"a":1}'`, outcome.PythonText, "the text of Python bytes, not JSON: send the bytes themselves instead of str(…)"},
		"None":                    {"None\n", outcome.PythonText, "the text of Python's None, not JSON: send json.dumps(…) of an object"},
		"a Python object":         {`OrderFilled(instrument_id=AAPL.XNAS, last_qty=100)`, outcome.PythonText, "the text of a Python object (repr), not JSON: send the object's dict with json.dumps(…)"},
		"a Python object, bare":   {`<trade.Order object at 0x7f0a1c>`, outcome.PythonText, "the text of a Python object (repr), not JSON: send the object's dict with json.dumps(…)"},
		"a repr in JSON":          {`"Trade(contract=Stock(symbol='AAPL'))"`, outcome.PythonText, "inside a JSON string: the text of a Python object (repr), not JSON: send the object's dict with json.dumps(…)"},
		"JSONP":                   {`callback({"a":1})`, outcome.NotJSON, "not JSON at byte 0 (expected a value)"},
		"XML":                     {`<order side="buy"/>`, outcome.NotJSON, "not JSON at byte 0 (expected a value)"},
		"FIX":                     {"8=FIX.4.4\x019=65\x0135=8\x01", outcome.FIX, "a FIX message, not JSON: send its fields as a JSON object"},
		"FIX with bars":           {"8=FIXT.1.1|9=65|35=8|", outcome.FIX, "a FIX message, not JSON: send its fields as a JSON object"},
		"FIX in JSON":             {`"8=FIX.4.2\u00019=65\u0001"`, outcome.FIX, "inside a JSON string: a FIX message, not JSON: send its fields as a JSON object"},
		"serialized Java":         {"\xac\xed\x00\x05sr", outcome.NotJSON, "a serialized Java object, not JSON: use a serializer that writes JSON"},
		"UTF-16":                  {"\xff\xfe{\x00}\x00", outcome.NotUTF8, "UTF-16, not UTF-8: write UTF-8 without a byte order mark"},
		"a byte order mark alone": {"\xef\xbb\xbf", outcome.Truncated, "not JSON at byte 3 (truncated)"},
		"avro":                    {"\x00\x00\x00\x00\x2a\x02\x06abc", outcome.NeedsRegistry, "Avro or Protobuf with schema id 42: only JSON can be read without schema_registry in notifier.yaml"},
		"framed array":            {"\x00\x00\x00\x00\x2a[1]", outcome.NotAnObject, "an event is a JSON object, found an array"},
		"gzip cut off":            {whole[:len(whole)-6], outcome.Decompress, "truncated gzip"},
		"gzip damaged":            {whole[:12] + "\xff\xff\xff" + whole[15:], outcome.Decompress, ""},
		"gzip header only":        {"\x1f\x8b", outcome.Decompress, "damaged gzip header"},
		"gzip bomb":               {packed(t, strings.Repeat(" ", int(event.DefaultMaxUnpacked)+1)), outcome.EventTooLarge, "larger than 2MiB once unpacked (gzip); events.max_unpacked sets the limit"},
		"zstd damaged":            {"\x28\xb5\x2f\xfd\xff\xff\xff", outcome.Decompress, ""},
		"zstd bomb":               {zstded(t, strings.Repeat(" ", int(event.DefaultMaxUnpacked)+1)), outcome.EventTooLarge, "larger than 2MiB once unpacked (zstd); events.max_unpacked sets the limit"},
		"gzip of poison":          {packed(t, `{"a"`), outcome.Truncated, "not JSON at byte 4 (truncated)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decoder().Decode(record(c.value))
			var failed *outcome.Error
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want a classified error", err)
			}
			if failed.Cause != c.cause || c.detail != "" && failed.Detail != c.detail {
				t.Errorf("got %s: %s\nwant %s: %s", failed.Cause, failed.Detail, c.cause, c.detail)
			}
			if failed.Cause.Class().Reason != outcome.Undecodable {
				t.Errorf("reason is %s", failed.Cause.Class().Reason)
			}
		})
	}
}

func TestOnlyNullValueIsTombstone(t *testing.T) {
	r := record("")
	if _, err := decoder().Decode(r); errors.Is(err, event.ErrTombstone) {
		t.Error("an empty value is a tombstone")
	}
	r.Value = nil
	if _, err := decoder().Decode(r); !errors.Is(err, event.ErrTombstone) {
		t.Errorf("got %v", err)
	}
}

func TestNumbersKeepTheirLiteral(t *testing.T) {
	e, err := decoder().Decode(record(`{"id":9007199254740993,"price":0.10,"tiny":-1.50e-7,"huge":1e999}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"id": "9007199254740993", "price": "0.10", "tiny": "-1.50e-7", "huge": "1e999"} {
		if got := e.Doc.Get(name); got.Kind() != event.Number || got.Text() != want {
			t.Errorf("%s: %v %q", name, got.Kind(), got.Text())
		}
	}
}

func TestLastOfDuplicateMembersIsUsed(t *testing.T) {
	e, err := decoder().Decode(record(`{"a":1,"b":2,"a":3}`))
	if err != nil || e.Doc.Get("a").Text() != "3" {
		t.Errorf("got %q, %v", e.Doc.Get("a").Text(), err)
	}
}

func TestStringsAreUnescaped(t *testing.T) {
	e, err := decoder().Decode(record(`{"a\n":"\"\\\/\b\f\r\t é 😀 \ud83d x \ud83d\u0041"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Doc.Get("a\n").Text(), "\"\\/\b\f\r\t é 😀 \uFFFD x \uFFFDA"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCompressionAndFramesAreRemoved(t *testing.T) {
	const doc = `{"event_id":"e1","event_type":"order.filled"}`
	frame := "\x00\x00\x00\x01\x02"
	for name, value := range map[string]string{
		"plain": doc, "gzip": packed(t, doc), "zstd": zstded(t, doc), "confluent": frame + doc,
		"gzip around a frame": packed(t, frame+doc), "a space after the frame": frame + " " + doc,
	} {
		e, err := decoder().Decode(record(value))
		if err != nil || e.ID != "e1" || e.Type != "order.filled" {
			t.Errorf("%s: %q %q %v", name, e.ID, e.Type, err)
		}
		if framed := strings.Contains(name, "frame") || name == "confluent"; framed != (e.SchemaID == 0x102) {
			t.Errorf("%s: schema id %d", name, e.SchemaID)
		}
	}
}

func ce(pairs ...string) []event.Header {
	var hs []event.Header
	for i := 0; i < len(pairs); i += 2 {
		hs = append(hs, event.Header{Name: pairs[i], Value: []byte(pairs[i+1])})
	}
	return hs
}

func TestBinaryCloudEvents(t *testing.T) {
	all := ce("ce_id", "c1", "ce_source", "/oms", "ce_type", "com.algotrade.fill", "ce_specversion", "1.0", "ce_time", "2026-11-23T10:00:00Z", "content-type", "application/json")
	e, err := decoder().Decode(record(`{"symbol":"AAPL"}`, all...))
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != "c1" || e.Type != "com.algotrade.fill" || e.CE.Get("source").Text() != "/oms" || e.Time.Hour() != 10 {
		t.Errorf("%q %q %v %s", e.ID, e.Type, e.CE, e.Time)
	}
	if e, _ = decoder().Decode(record(`{"symbol":"AAPL"}`, all[1:]...)); e.CE.Kind() != event.Missing {
		t.Error("a CloudEvent without ce_id")
	}
}

func TestCloudEventBooleansAreAlikeInBothModes(t *testing.T) {
	const attributes = `"specversion":"1.0","id":"true","source":"/oms","type":"t","replayed":true,"final":false`
	structured, err := decoder().Decode(record(`{`+attributes+`,"data":{}}`, ce("content-type", "application/cloudevents+json")...))
	if err != nil {
		t.Fatal(err)
	}
	for _, yes := range []string{"true", "True"} {
		binary, err := decoder().Decode(record(`{}`, ce("ce_specversion", "1.0", "ce_id", "true", "ce_source", "/oms", "ce_type", "t", "ce_replayed", yes, "ce_final", "false")...))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"id", "replayed", "final"} {
			a, b := structured.CE.Get(name), binary.CE.Get(name)
			if a.Kind() != b.Kind() || a.Bool() != b.Bool() {
				t.Errorf("%s is %v when structured, and %v in a header", name, a, b)
			}
		}
	}
}

func TestStructuredCloudEvents(t *testing.T) {
	media := ce("content-type", "application/cloudevents+json; charset=utf-8")
	const head = `{"specversion":"1.0","id":"c1","source":"/oms","type":"t",`
	data := `{"event_type":"order.rejected","symbol":"AAPL"}`
	for name, value := range map[string]string{
		"an object": head + `"data":` + data + `}`,
		"a string":  head + `"data":"{\"event_type\":\"order.rejected\",\"symbol\":\"AAPL\"}"}`,
		"base64":    head + `"data_base64":"` + base64.StdEncoding.EncodeToString([]byte(data)) + `"}`,
	} {
		e, err := decoder().Decode(record(value, media...))
		if err != nil || e.Type != "order.rejected" || e.ID != "c1" || e.Doc.Get("symbol").Text() != "AAPL" || e.CE.Get("type").Text() != "t" || !e.CE.Get("data").IsNil() {
			t.Errorf("%s: %+v %v", name, e, err)
		}
	}
	if e, err := decoder().Decode(record(head+`"time":"2026-11-23T10:00:00Z"}`, media...)); err != nil || e.Doc.Len() != 0 || e.Time.Hour() != 10 {
		t.Errorf("without data: %+v %v", e, err)
	}
	for value, want := range map[string]string{
		`{"symbol":"AAPL"}`:          "cloudevent: a structured CloudEvent needs the attribute id as a string",
		head + `"data":[1]}`:         "not-an-object: a CloudEvent's data is a JSON object, found an array",
		head + `"data_base64":"%%"}`: "cloudevent: data_base64 is not base64",
	} {
		if _, err := decoder().Decode(record(value, media...)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", value, err, want)
		}
	}
}

func TestEventPathsAreConfigurable(t *testing.T) {
	d := event.NewDecoder(&event.Config{Topics: map[string]event.Fields{string(topics.TradeExecutions): {
		ID: []string{"meta.uid", "id"}, Type: []string{"kind"}, Time: []string{"ts", "meta.at"},
	}}}, map[string][]string{string(topics.TradeExecutions): {"symbol"}}, nil)
	e, err := d.Decode(record(`{"id":77,"kind":"fill","ts":"soon","meta":{"at":1795444265123},"symbol":"AAPL","rest":{"x":[1,2,{"y":"z"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != "77" || e.Type != "fill" || e.Time.UnixMilli() != 1795444265123 {
		t.Errorf("%q %q %s", e.ID, e.Type, e.Time)
	}
	if e.Doc.Get("symbol").Text() != "AAPL" || e.Doc.Get("rest").Kind() != event.Missing {
		t.Errorf("kept members: %v", e.Doc)
	}
	if _, err := d.Decode(record(`{"symbol":"AAPL","rest":{"x":[1,2,{"y":tru}]}}`)); err == nil {
		t.Error("members that no rule reads are not checked")
	}
	if e, _ := d.Decode(record(`{"symbol":"AAPL"}`)); !e.Time.Equal(arrived) {
		t.Errorf("time %s, want the record's timestamp", e.Time)
	}
}
