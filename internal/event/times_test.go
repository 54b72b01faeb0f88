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

// TestTimesOfOtherSystemsAreRead: each is 2026-11-29T07:22:49Z, with extra.
func TestTimesOfOtherSystemsAreRead(t *testing.T) {
	want := time.Date(2026, 11, 29, 7, 22, 49, 0, time.UTC)
	for name, c := range map[string]struct {
		value string // JSON
		extra time.Duration
	}{
		"Jackson, LocalDateTime":              {`[2026,11,29,7,22,49,123000000]`, 123 * time.Millisecond},
		"Jackson, no nanoseconds":             {`[2026,11,29,7,22,49]`, 0},
		"Jackson, a whole minute":             {`[2026,11,29,7,22]`, -49 * time.Second},
		"Jackson, LocalDate":                  {`[2026,11,29]`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"Jackson, Instant":                    {`1795936969.000000000`, 0},
		"Jackson, Instant without its module": {`{"epochSecond":1795936969,"nano":7}`, 7},
		"Java, ZonedDateTime":                 {`"2026-11-29T02:22:49.5-05:00[America/New_York]"`, 500 * time.Millisecond},
		"a zone by name alone":                {`"2026-11-29T02:22:49[America/New_York]"`, 0},
		"Interactive Brokers":                 {`"20261129 02:22:49 US/Eastern"`, 0},
		"Interactive Brokers, UTC":            {`"20261129-07:22:49"`, 0},
		"FIX":                                 {`"20261129-07:22:49.123"`, 123 * time.Millisecond},
		"FIX, microseconds":                   {`"20261129-07:22:49.123456"`, 123456 * time.Microsecond},
		"FIX, TZTimestamp":                    {`"20261129-02:22:49-05"`, 0},
		"FIX, no seconds":                     {`"20261129-07:22"`, -49 * time.Second},
		"ISO 8601, basic":                     {`"20261129T072249Z"`, 0},
		"ISO 8601, basic, with an offset":     {`"20261129T082249.25+0100"`, 250 * time.Millisecond},
		"ISO 8601, basic, no zone":            {`"20261129T072249"`, 0},
		"ISO 8601, basic, a date":             {`"20261129"`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"digits":                              {`20261129072249`, 0},
		"digits with milliseconds":            {`"20261129072249123"`, 123 * time.Millisecond},
		"RFC 1123":                            {`"Sun, 29 Nov 2026 07:22:49 GMT"`, 0},
		"RFC 1123 with an offset":             {`"Sun, 29 Nov 2026 02:22:49 -0500"`, 0},
		"JavaScript":                          {`"Sun Nov 29 2026 02:22:49 GMT-0500 (Eastern Standard Time)"`, 0},
		"Go":                                  {`"2026-11-29 08:22:49.000000007 +0100 CET m=+0.000012345"`, 7},
		"Go in UTC":                           {`"2026-11-29 07:22:49 +0000 UTC"`, 0},
		"Ruby":                                {`"2026-11-29 07:22:49 UTC"`, 0},
		".NET, DateTimeOffset":                {`"2026-11-29 02:22:49.1234567 -05:00"`, 123456700},
		".NET, DataContract":                  {`"/Date(1795936969007)/"`, 7 * time.Millisecond},
		".NET, DataContract with an offset":   {`"/Date(1795936969007-0500)/"`, 7 * time.Millisecond},
		"MetaTrader":                          {`"2026.11.29 07:22:49"`, 0},
		"Python's logging":                    {`"2026-11-29 07:22:49,123"`, 123 * time.Millisecond},
		"slashes":                             {`"2026/11/29 07:22:49"`, 0},
		"Protobuf":                            {`{"seconds":"1795936969","nanos":7}`, 7},
		"Protobuf, whole seconds":             {`{"seconds":1795936969}`, 0},
		"Firestore":                           {`{"_seconds":1795936969,"_nanoseconds":7}`, 7},
		"ctime":                               {`"Sun Nov 29 07:22:49 2026"`, 0},
		"date":                                {`"Sun Nov 29 07:22:49 UTC 2026"`, 0},
		"Ruby, ctime with an offset":          {`"Sun Nov 29 02:22:49 -0500 2026"`, 0},
		"RFC 850":                             {`"Sunday, 29-Nov-26 07:22:49 GMT"`, 0},
		"digits of a date":                    {`20261129`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"the end of the day":                  {`"2026-11-28T24:00:00Z"`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"the end of a local day":              {`"2026-11-29 24:00:00.000-05:00"`, 21*time.Hour + 37*time.Minute + 11*time.Second},
		"the end of the day, basic":           {`"20261128T240000Z"`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"the end of the day, FIX":             {`"20261128-24:00"`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"a leap second":                       {`"2026-11-28T23:59:60Z"`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"a local leap second":                 {`"20261128T185960.5-0500"`, -(7*time.Hour + 22*time.Minute + 48*time.Second + 500*time.Millisecond)},
		"a leap second, FIX":                  {`"20261128-23:59:60"`, -(7*time.Hour + 22*time.Minute + 49*time.Second)},
		"MongoDB":                             {`{"$date":"2026-11-29T07:22:49Z"}`, 0},
		"MongoDB, canonical":                  {`{"$date":{"$numberLong":"1795936969007"}}`, 7 * time.Millisecond},
	} {
		got, ok := event.ParseTime(valueOf(t, c.value))
		if !ok || !got.Equal(want.Add(c.extra)) {
			t.Errorf("%s: %s is read as %s, %v", name, c.value, got, ok)
		}
	}
}

func TestAmbiguousTimesAreNotRead(t *testing.T) {
	for name, value := range map[string]string{
		"day or month first":           `"11/12/2026 07:22:49"`,
		"an abbreviated zone":          `"Sun, 29 Nov 2026 02:22:49 EST"`,
		"an unknown zone":              `"2026-11-29T02:22:49[Mars/Olympus]"`,
		"the host's zone":              `"2026-11-29T02:22:49[Local]"`,
		"a path as a zone":             `"2026-11-29T02:22:49[../../etc/passwd]"`,
		"a time without a date":        `"07:22:49.123"`,
		"month 13":                     `[2026,13,29,7,22,49]`,
		"an hour without a minute":     `[2026,11,29,7]`,
		"parts as strings":             `["2026","11","29"]`,
		"eight parts":                  `[2026,11,29,7,22,49,0,0]`,
		"fractional parts":             `[2026,11,29,7.5,22,49]`,
		"an empty array":               `[]`,
		"other members":                `{"seconds":1795936969,"minutes":3}`,
		"three members":                `{"seconds":1795936969,"nanos":7,"zone":"UTC"}`,
		"a second of nanoseconds":      `{"seconds":1795936969,"nanos":1000000000}`,
		"nested dates":                 `{"$date":{"$date":"2026-11-29T07:22:49Z"}}`,
		"a date of .NET, not a number": `"/Date(today)/"`,
		"after the end of the day":     `"2026-11-29T24:00:01Z"`,
		"a minute after the end":       `"2026-11-29T24:01"`,
		"a fraction after the end":     `"2026-11-29T24:00:00.5Z"`,
		"a second 60 at noon":          `"2026-11-29T12:00:60Z"`,
		"a second 60 of local time":    `"2026-11-29T23:59:60-05:00"`,
		"a second 61":                  `"2026-11-29T23:59:61Z"`,
		"an offset of 24 hours":        `"2026-11-29T07:22:49-24:00"`,
		"digits of no date":            `20261329`,
		"a date with a fraction":       `20261129.5`,
		"an account number":            `10002026`,
		"digits of minutes":            `202611290722`,
		"digits of minutes as text":    `"202611290722"`,
		"digits that are no time":      `20261329072249`,
	} {
		if got, ok := event.ParseTime(valueOf(t, value)); ok {
			t.Errorf("%s: %s is read as %s", name, value, got)
		}
	}
}

// valueOf reads a JSON text.
func valueOf(t *testing.T, text string) event.Value {
	t.Helper()
	e, err := decoder().Decode(record(`{"v":` + text + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return e.Doc.Get("v")
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
	for _, clock := range []string{"00:00:00", "23:59:59", "25:00:00", "12:60:00", "12:00:60", "1a:00:00", "12:00:0", "12:00:00."} {
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
