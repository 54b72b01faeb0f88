package event_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/event"
)

func TestParseTimeReadsCommonFormats(t *testing.T) {
	want := time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)
	number := func(s string) event.Value {
		var f float64
		for _, c := range s { // the value matters by magnitude only; the literal is exact
			if c == '.' {
				break
			}
			f = f*10 + float64(c-'0')
		}
		return event.LiteralValue(s, f)
	}
	text := event.StringValue
	for name, c := range map[string]struct {
		v     event.Value
		extra time.Duration
	}{
		"RFC 3339":               {text("2026-11-23T14:31:05Z"), 0},
		"with an offset":         {text("2026-11-23T15:31:05+01:00"), 0},
		"with micros":            {text("2026-11-23T14:31:05.123456Z"), 123456 * time.Microsecond},
		"small letters":          {text("2026-11-23t14:31:05z"), 0},
		"Python isoformat":       {text("2026-11-23T14:31:05.000001"), time.Microsecond},
		"Python str":             {text("2026-11-23 14:31:05+00:00"), 0},
		"with a space, no zone":  {text("2026-11-23 14:31:05"), 0},
		"offset without colon":   {text("2026-11-23T15:31:05+0100"), 0},
		"seconds":                {number("1795444265"), 0},
		"milliseconds":           {number("1795444265007"), 7 * time.Millisecond},
		"microseconds":           {number("1795444265000007"), 7 * time.Microsecond},
		"nanoseconds":            {number("1795444265000000007"), 7 * time.Nanosecond},
		"milliseconds in a text": {text("1795444265007"), 7 * time.Millisecond},
		"float seconds":          {event.LiteralValue("1795444265.25", 1795444265.25), 250 * time.Millisecond},
	} {
		got, ok := event.ParseTime(c.v)
		if !ok || !got.Equal(want.Add(c.extra)) {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
	for name, v := range map[string]event.Value{
		"missing": {}, "null": event.NullValue(), "zero": number("0"), "a count": number("12345"), "year one": text("0001-01-01T00:00:00Z"),
		"words": text("yesterday"), "the epoch": text("1970-01-01T00:00:00Z"), "far": text("9999-12-31T23:59:59Z"), "a long text": text(string(make([]byte, 1000))),
		"infinite": event.LiteralValue("1e999", 1e308), "a bool": event.BoolValue(true),
	} {
		if got, ok := event.ParseTime(v); ok {
			t.Errorf("%s counts as the time %s", name, got)
		}
	}
}

// TestUTCTimesAgreeWithTimeParse covers every date of some years, and odd clocks.
func TestUTCTimesAgreeWithTimeParse(t *testing.T) {
	var texts []string
	for _, year := range []int{1999, 2000, 2024, 2100} {
		for month := range 14 {
			for day := range 33 {
				texts = append(texts, fmt.Sprintf("%d-%02d-%02dT14:31:05.25Z", year, month, day))
			}
		}
	}
	for _, clock := range []string{"00:00:00", "23:59:59", "24:00:00", "12:60:00", "12:00:60", "1a:00:00", "12:00:0", "12:00:00."} {
		for _, fraction := range []string{"", ".1", ".000000001", ".123456789", ".1234567890", ".12a", ",5"} {
			texts = append(texts, "2026-11-23T"+clock+fraction+"Z", "2026-11-23T"+clock+fraction+"+01:00")
		}
	}
	for _, text := range texts {
		want, err := time.Parse(time.RFC3339Nano, text)
		if got, ok := event.ParseTime(event.StringValue(text)); ok != (err == nil) || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
}
