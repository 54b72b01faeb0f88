package event

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/algotrade/notifier/internal/outcome"
)

// MaxDecompressed is the size, in bytes, that a compressed value may have when
// it is unpacked. More would let a small record take all memory.
const MaxDecompressed = 8 << 20

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878, 3.1.1
)

// decompress unpacks a value that begins like a gzip member or a zstd frame.
func decompress(data []byte) ([]byte, error) {
	var name string
	var r io.Reader
	switch {
	case bytes.HasPrefix(data, gzipMagic):
		name = "gzip"
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, outcome.Errorf(outcome.Decompress, "looks like gzip, but its header is damaged")
		}
		r = z
	case bytes.HasPrefix(data, zstdMagic):
		name = "zstd"
		z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*MaxDecompressed))
		if err != nil {
			return nil, outcome.Errorf(outcome.Decompress, "looks like zstd, but its header is damaged")
		}
		defer z.Close()
		r = z
	default:
		return data, nil
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxDecompressed+1))
	switch {
	case len(out) > MaxDecompressed,
		errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, outcome.Errorf(outcome.EventTooLarge, "%s that unpacks to more than %d MiB", name, MaxDecompressed>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, outcome.Errorf(outcome.Decompress, "%s that ends too early (truncated)", name)
	case err != nil:
		return nil, outcome.Errorf(outcome.Decompress, "damaged %s after %d unpacked bytes", name, len(out))
	}
	return out, nil
}

// frameSize is the Confluent wire format's prefix: a zero byte and the schema
// id, four bytes, big-endian.
const frameSize = 5

// unframe takes the Confluent frame off a value, where there is one.
func unframe(data []byte) ([]byte, int, error) {
	if len(data) <= frameSize || data[0] != 0 {
		return data, 0, nil
	}
	id, body := int(binary.BigEndian.Uint32(data[1:frameSize])), data[frameSize:]
	if c := bytes.TrimLeft(body, " \t\r\n"); len(c) > 0 && (c[0] == '{' || c[0] == '[' || c[0] == '"') {
		return body, id, nil
	}
	return nil, id, outcome.Errorf(outcome.NeedsRegistry, "Avro or Protobuf with schema id %d: only JSON can be read without a schema registry", id)
}

// header returns the last header called name, as Kafka's lastHeader does.
func header(headers []Header, name string) (string, bool) {
	for i := len(headers) - 1; i >= 0; i-- {
		if strings.EqualFold(headers[i].Name, name) {
			return string(headers[i].Value), true
		}
	}
	return "", false
}

// structuredCloudEvent reports whether the value is a CloudEvent as a whole
// (CloudEvents Kafka binding, 3.3).
func structuredCloudEvent(headers []Header) bool {
	if len(headers) == 0 {
		return false
	}
	t, ok := header(headers, "content-type")
	if !ok {
		return false
	}
	media, _, _ := strings.Cut(t, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/cloudevents+json")
}

var required = []string{"id", "source", "type", "specversion"}

// binaryCloudEvent returns the attributes in ce_ headers, Missing unless the
// four required ones are all there (CloudEvents Kafka binding, 3.2).
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
			members = append(members, Member(name, StringValue(strings.ToValidUTF8(string(h.Value), "\uFFFD"))))
		}
	}
	if t, ok := header(headers, "content-type"); ok {
		members = append(members, Member("datacontenttype", StringValue(strings.ToValidUTF8(t, "\uFFFD"))))
	}
	return ObjectValue(members)
}

// openCloudEvent splits a structured CloudEvent into its data and attributes.
func (d *Decoder) openCloudEvent(topic string, envelope Value) (doc, attributes Value, err error) {
	for _, name := range required {
		if envelope.Get(name).Kind() != String {
			return doc, attributes, outcome.Errorf(outcome.CloudEvent, "a structured CloudEvent needs the attribute %s as a string", name)
		}
	}
	var members []Value
	for i := range envelope.Len() {
		if m := envelope.At(i); m.Name() != "data" && m.Name() != "data_base64" {
			members = append(members, m)
		}
	}
	attributes = ObjectValue(members)
	data := envelope.Get("data")
	if encoded := envelope.Get("data_base64"); encoded.Kind() == String {
		raw, err := base64.StdEncoding.DecodeString(encoded.Text())
		if err != nil {
			return doc, attributes, outcome.Errorf(outcome.CloudEvent, "data_base64 is not base64")
		}
		doc, _, err = d.document(topic, raw, nil)
		return doc, attributes, err
	}
	switch data.Kind() {
	case Object:
		return data, attributes, nil
	case String:
		doc, _, err = d.document(topic, []byte(data.Text()), nil)
		return doc, attributes, err
	case Missing, Null:
		return ObjectValue(nil), attributes, nil
	}
	return doc, attributes, outcome.Errorf(outcome.NotAnObject, "a CloudEvent's data is a JSON object, found %s", data.Kind())
}
