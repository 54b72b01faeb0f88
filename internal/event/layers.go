package event

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/outcome"
)

// header returns the last header called name, as Kafka's lastHeader does.
func header(headers []Header, name string) (string, bool) {
	for i := len(headers) - 1; i >= 0; i-- {
		if strings.EqualFold(headers[i].Name, name) {
			return string(headers[i].Value), true
		}
	}
	return "", false
}

// structuredCloudEvent reports whether the whole value is a CloudEvent
// (CloudEvents Kafka binding, 3.3).
func structuredCloudEvent(headers []Header) bool {
	if len(headers) == 0 {
		return false
	}
	t, ok := header(headers, "content-type")
	return ok && structured(t)
}

func structured(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/cloudevents+json")
}

// CloudEventHeader reports whether a record with this header may be a CloudEvent.
func CloudEventHeader(name string, value []byte) bool {
	return strings.EqualFold(name, "ce_"+required[0]) || strings.EqualFold(name, "content-type") && structured(share(value))
}

var required = []string{"id", "source", "type", "specversion"}

// binaryCloudEvent returns the attributes in ce_ headers, Missing if a required
// one is absent (CloudEvents Kafka binding, 3.2).
func binaryCloudEvent(headers []Header) Value {
	if len(headers) < len(required) {
		return Value{}
	}
	for _, name := range required {
		if _, ok := header(headers, "ce_"+name); !ok {
			return Value{}
		}
	}
	var members []Value
	for _, h := range headers {
		if name, ok := strings.CutPrefix(strings.ToLower(h.Name), "ce_"); ok && name != "" {
			members = append(members, Member(name, attribute(name, string(h.Value))))
		}
	}
	if t, ok := header(headers, "content-type"); ok {
		members = append(members, Member("datacontenttype", StringValue(strings.ToValidUTF8(t, "\uFFFD"))))
	}
	return ObjectValue(members)
}

// texts are the attributes whose type is not the producer's choice: they are never booleans.
var texts = []string{"id", "source", "type", "specversion", "subject", "dataschema", "datacontenttype", "time", "partitionkey"}

// attribute returns the value of a ce_ header. A header has no type: a boolean extension
// is one again, as in structured mode. Its canonical form is in small letters
// (CloudEvents 1.0.2, Type System), but the SDK for Python writes True.
func attribute(name, text string) Value {
	if !slices.Contains(texts, name) {
		for _, b := range []bool{true, false} {
			if strings.EqualFold(text, strconv.FormatBool(b)) {
				return BoolValue(b)
			}
		}
	}
	return StringValue(strings.ToValidUTF8(text, "\uFFFD"))
}

// openCloudEvent splits a structured CloudEvent, e.Doc, into its data and attributes.
func (d *Decoder) openCloudEvent(e *Event, q *Quota) (err error) {
	whole := e.Doc
	for _, name := range required {
		if whole.Get(name).Kind() != String {
			return outcome.Errorf(outcome.CloudEvent, "a structured CloudEvent needs the attribute %s as a string", name)
		}
	}
	var members []Value
	for i := range whole.Len() {
		if m := whole.At(i); m.Name() != "data" && m.Name() != "data_base64" {
			members = append(members, m)
		}
	}
	if err := q.TakeValues(len(members)); err != nil {
		return err
	}
	e.CE = ObjectValue(members)
	data := whole.Get("data")
	if encoded := whole.Get("data_base64"); encoded.Kind() == String {
		if err := q.TakeBytes("data_base64 of the CloudEvent", base64.StdEncoding.DecodedLen(len(encoded.Text()))); err != nil {
			return err
		}
		raw, err := base64.StdEncoding.DecodeString(encoded.Text())
		if err != nil {
			return outcome.Errorf(outcome.CloudEvent, "data_base64 is not base64")
		}
		e.Doc, err = d.document(e, raw, nil, q)
		return err
	}
	switch data.Kind() {
	case Object:
		e.Doc = data
		return nil
	case String:
		if err := q.TakeBytes("data of the CloudEvent", len(data.Text())); err != nil {
			return err
		}
		e.Doc, err = d.document(e, bytesOf(data.Text()), nil, q)
		return err
	case Missing, Null:
		e.Doc = ObjectValue(nil)
		return nil
	}
	return outcome.Errorf(outcome.NotAnObject, "a CloudEvent's data is a JSON object, found %s", data.Kind())
}
