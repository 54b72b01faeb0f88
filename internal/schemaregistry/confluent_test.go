package schemaregistry_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/algotrade/notifier/internal/event"
)

// TestRecordsOfConfluentsClientAreRead reads what confluent-kafka-python has written: see
// testdata/confluent-python.py.
func TestRecordsOfConfluentsClientAreRead(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var written struct {
		Records map[string]struct{ Value, Header string }
	}
	if err := json.Unmarshal(file("confluent-python.json"), &written); err != nil {
		t.Fatal(err)
	}
	s := newStand(t, nil)
	s.registry.SeedSchema("trade-executions-value", 1, 1, sr.Schema{Schema: string(file("order.avsc")), Type: sr.TypeAvro})
	s.registry.SeedSchema("portfolio-updates-value", 1, 2, sr.Schema{Schema: string(file("order.proto")), Type: sr.TypeProtobuf})
	guid := func(subject string) []byte {
		known, _ := s.registry.GetSchema(subject, 1)
		b, err := hex.DecodeString(known.GUID[:8] + known.GUID[9:13] + known.GUID[14:18] + known.GUID[19:23] + known.GUID[24:])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	d := event.NewDecoder(nil, nil, nil)
	d.UseSchemas(s.client)
	const (
		avro = `{"event_id":"0199d8f2-1111-7222-8333-444455556666","event_type":"order.partially_filled",` +
			`"fills":[{"day":"2026-11-29","execution_id":"x-1","qty":"0.0000000001"}],"latency_ms":0.1,"limit_price":"189.5000","occurred_at":"2026-11-29T07:22:49.123456Z",` +
			`"raw":"AP8=","reason":null,"sequence":9007199254740993,"side":"SELL","slippage_bps":-1.25,"tags":{"desk":"zürich"}}`
		proto = `{"event_id":"0199d8f2-1111-7222-8333-444455556666","event_type":"order.rejected","fills":[{"execution_id":"x-1","qty":3}],"limit_price":"189.50",` +
			`"occurred_at":"2026-11-29T07:22:49.123456Z","reject_code":0,"sequence":9007199254740993,"side":"SIDE_SELL","slippage_bps":-1.25,"tags":{"desk":"zürich"}}`
	)
	for name, want := range map[string]string{
		"avro": avro, "protobuf": proto, "nested": `{"execution_id":"x-1","qty":3}`, "first": `{"event_id":"h-1"}`,
		"json": `{"event_id":"j-1","event_type":"order.rejected"}`, "avro in header": avro, "protobuf in header": proto,
	} {
		of := written.Records[name]
		rec := event.Record{Topic: "trade-executions", Value: unhex(t, of.Value)}
		if of.Header != "" { // the registry of the test has GUIDs of its own
			h := unhex(t, of.Header)
			copy(h[1:17], guid(map[string]string{"avro in header": "trade-executions-value", "protobuf in header": "portfolio-updates-value"}[name]))
			rec.Headers = []event.Header{{Name: "__value_schema_id", Value: h}}
		}
		ev, err := d.Decode(rec)
		var missing *event.SchemaMissing
		if errors.As(err, &missing) {
			fetch(t, s, missing.ID)
			ev, err = d.Decode(rec)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := json.Marshal(plain(ev.Doc))
		if err != nil || string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}

// plain returns a value as encoding/json has it, with the literals of numbers.
func plain(v event.Value) any {
	switch v.Kind() {
	case event.Bool:
		return v.Bool()
	case event.Number:
		return json.Number(v.Text())
	case event.String:
		return v.Text()
	case event.Array:
		list := []any{}
		for i := range v.Len() {
			list = append(list, plain(v.At(i)))
		}
		return list
	case event.Object:
		object := map[string]any{}
		for i := range v.Len() {
			object[v.At(i).Name()] = plain(v.At(i))
		}
		return object
	}
	return nil
}
