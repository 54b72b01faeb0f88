package schema

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/event"
)

// wellKnown returns what a message of Protobuf, Confluent or Google stands for.
func (r *protoReader) wellKnown(m *protoMessage, v event.Value) (event.Value, error) {
	name, known := strings.CutPrefix(string(m.name), "google.protobuf.")
	if !known {
		return r.common(string(m.name), v)
	}
	switch name {
	case "Timestamp":
		s, nanos := whole(v, "seconds"), whole(v, "nanos")
		if s < firstSecond || s > lastSecond || nanos < 0 || nanos >= 1e9 {
			return v, nil
		}
		return event.StringValue(time.Unix(s, nanos).UTC().Format(withZone)), nil
	case "Duration":
		return event.StringValue(seconds(whole(v, "seconds"), whole(v, "nanos"))), nil
	case "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue":
		return v.Get("value"), nil
	case "StringValue", "BytesValue":
		if inner := v.Get("value"); inner.Kind() == event.String {
			return inner, nil
		}
		return event.StringValue(""), nil
	case "Struct":
		if fields := v.Get("fields"); fields.Kind() == event.Object {
			return event.Member("", fields), nil
		}
		return event.ObjectValue(nil), nil
	case "ListValue":
		if values := v.Get("values"); values.Kind() == event.Array {
			return event.Member("", values), nil
		}
		return event.ArrayValue(nil), nil
	case "Value":
		if one := v.At(0); one.Kind() != event.Missing && one.Name() != "null_value" {
			return event.Member("", one), nil
		}
		return event.NullValue(), nil
	}
	return v, nil
}

// A Timestamp is in the years 1 to 9999.
const firstSecond, lastSecond = -62135596800, 253402300799

// common is wellKnown for the files that clients of Confluent do not register.
func (r *protoReader) common(name string, v event.Value) (event.Value, error) {
	switch name {
	case "confluent.type.Decimal":
		unscaled, err := base64.StdEncoding.DecodeString(v.Get("value").Text())
		if err != nil {
			return v, nil
		}
		return r.decimal(unscaled, int(whole(v, "scale")))
	case "google.type.Decimal":
		if text := v.Get("value"); text.Kind() == event.String {
			return event.Member("", text), nil
		}
		return event.StringValue("0"), nil // as its specification says
	case "google.type.Date":
		if y, m, d := whole(v, "year"), whole(v, "month"), whole(v, "day"); y >= 1 && y <= 9999 && m >= 1 && m <= 12 && d >= 1 && d <= 31 {
			return event.StringValue(fmt.Sprintf("%04d-%02d-%02d", y, m, d)), nil
		}
	}
	return v, nil
}

// whole returns a member that is an integer.
func whole(v event.Value, name string) int64 {
	n, _ := strconv.ParseInt(v.Get(name).Text(), 10, 64)
	return n
}

// seconds returns a duration as Protobuf's JSON mapping has it, such as 1.5s.
func seconds(whole, nanos int64) string {
	sign := ""
	if whole < 0 || nanos < 0 {
		sign, whole, nanos = "-", max(whole, -whole), max(nanos, -nanos)
	}
	text := strings.TrimRight(fmt.Sprintf("%s%d.%09d", sign, whole, nanos), "0")
	return strings.TrimSuffix(text, ".") + "s"
}
