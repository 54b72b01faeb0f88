package event

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/algotrade/notifier/internal/instant"
)

// Earliest is the earliest time that ParseTime reads. Package instant bounds the
// time of an event more narrowly.
var Earliest = time.Date(1973, time.January, 1, 0, 0, 0, 0, time.UTC)

// latest is the maximum of int64 nanoseconds, in the year 2262.
var latest = time.Unix(0, math.MaxInt64)

// longestTime limits the text of a time, in bytes.
const longestTime = 80

// layouts are the forms of a time without its zone, by the fifth character; seconds
// may have a fraction.
func layouts(fifth byte) []string {
	switch {
	case fifth == '-':
		return dashed
	case fifth >= '0' && fifth <= '9':
		return compact
	case fifth == '.' || fifth == '/':
		return dotted
	}
	return named
}

var (
	dashed  = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}
	compact = []string{
		"20060102-15:04:05", "20060102-15:04", // FIX
		"20060102T150405", "20060102T1504", "20060102", // ISO 8601, basic
		"20060102 15:04:05", // Interactive Brokers
	}
	dotted = []string{"2006.01.02 15:04:05", "2006.01.02 15:04", "2006/01/02 15:04:05"} // MetaTrader
	named  = []string{
		"Mon, 2 Jan 2006 15:04:05",                                     // RFC 1123
		"Mon Jan 2 2006 15:04:05",                                      // JavaScript
		"Mon Jan 2 15:04:05 2006",                                      // ctime
		"Mon Jan 2 15:04:05 UTC 2006", "Mon Jan 2 15:04:05 -0700 2006", // date, Ruby
		"Monday, 2-Jan-06 15:04:05", // RFC 850
	}
)

// ParseTime reads a time from Earliest to 2262: text with year, month and day in this
// order or with the month's name, without a zone in UTC, a date at midnight; seconds, milliseconds,
// microseconds or nanoseconds since 1970, from 1990 and distinguished by magnitude, as a
// number or a string; Jackson's array [year, month, day, hour, minute, second, nanosecond]; and
// the objects of Protobuf, Gson, Firestore and MongoDB.
func ParseTime(v Value) (time.Time, bool) {
	t, ok := readTime(v)
	if !ok || t.Before(Earliest) || t.After(latest) {
		return time.Time{}, false
	}
	return t, true
}

// readTime is ParseTime without its bounds, in UTC.
func readTime(v Value) (time.Time, bool) {
	switch v.Kind() {
	case Number:
		return epoch(v.Text(), v.Float())
	case String:
		return textTime(v.Text())
	case Array:
		return arrayTime(v)
	case Object:
		return objectTime(v)
	}
	return time.Time{}, false
}

func textTime(text string) (time.Time, bool) {
	s := strings.TrimSpace(text)
	if len(s) < len("20060102") || len(s) > longestTime {
		return time.Time{}, false
	}
	if t, ok := parseUTC(s); ok {
		return t, true
	}
	if s[4] != '-' { // with a minus there it is a date, or a number below epoch's range
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			if t, ok := epoch(s, f); ok {
				return t, true
			}
		}
	}
	if rest, ok := strings.CutPrefix(s, "/Date("); ok { // DataContractJsonSerializer of .NET
		rest, ok = strings.CutSuffix(rest, ")/")
		millis, _ := cutOffset(rest)
		n, err := strconv.ParseInt(millis, 10, 64)
		return time.UnixMilli(n).UTC(), ok && err == nil
	}
	s, zone := cutZone(s)
	if zone == nil || len(s) < len("20060102") {
		return time.Time{}, false
	}
	if t, ok := parseLayouts(s, zone); ok {
		return t.UTC(), true
	}
	return lateTime(s, zone)
}

func parseLayouts(s string, zone *time.Location) (time.Time, bool) {
	for _, layout := range layouts(s[4]) {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// cutZone separates a text into the time, in capitals, and its zone: UTC if it has
// none, nil if it is unknown.
func cutZone(s string) (string, *time.Location) {
	named := ""
	if at := strings.IndexAny(s, "[("); at > 0 { // RFC 9557; JavaScript's name of a zone
		if s[at] == '[' {
			named = strings.TrimSuffix(s[at+1:], "]")
		}
		s = strings.TrimSpace(s[:at])
	}
	s, _, _ = strings.Cut(s, " m=") // Go's monotonic clock
	if at := strings.LastIndexByte(s, ' '); at > 0 && strings.IndexByte(s[at:], '/') > 0 {
		s, named = s[:at], s[at+1:]
	}
	s = strings.ToUpper(s) // RFC 3339 allows t and z
	if at := strings.LastIndexByte(s, ' '); at > 0 && s[len(s)-1] > '9' && isOffset(s[strings.LastIndexByte(s[:at], ' ')+1:at]) {
		s = s[:at] // Go's +0100 CET
	}
	for _, utc := range []string{"Z", " UTC", " GMT"} {
		if rest, ok := strings.CutSuffix(s, utc); ok {
			return rest, time.UTC
		}
	}
	if rest, zone := cutOffset(s); zone != nil && strings.ContainsAny(rest, ":T") {
		return strings.TrimSuffix(strings.TrimSpace(rest), " GMT"), zone
	}
	if named != "" {
		return s, location(named)
	}
	return s, time.UTC
}

// cutOffset cuts an offset such as +01, +0100 and +01:00 from the end; zone is nil
// if there is none.
func cutOffset(s string) (rest string, zone *time.Location) {
	at := strings.LastIndexAny(s, "+-")
	if at < 0 || !isOffset(s[at:]) {
		return s, nil
	}
	hours, minutes := twoDigits(s[at+1:]), uint(0)
	if len(s)-at > 3 {
		minutes = twoDigits(s[len(s)-2:])
	}
	seconds := int(hours*60+minutes) * 60
	if s[at] == '-' {
		seconds = -seconds
	}
	return s[:at], time.FixedZone("", seconds)
}

func isOffset(s string) bool {
	if len(s) == 6 && s[3] == ':' {
		s = s[:3] + s[4:]
	}
	return (len(s) == 3 || len(s) == 5) && (s[0] == '+' || s[0] == '-') && twoDigits(s[1:]) <= 23 && (len(s) == 3 || twoDigits(s[3:]) <= 59)
}

// locations holds the time zones that location has looked for, by name; nil: unknown.
var (
	locations    sync.Map
	locationsLen atomic.Int32
)

// maxLocations bounds locations; there are some 600 time zones.
const maxLocations = 1024

// location returns a time zone of the tz database, such as America/New_York; nil if
// it is unknown.
func location(name string) *time.Location {
	if zone, ok := locations.Load(name); ok {
		return zone.(*time.Location)
	}
	if locationsLen.Load() >= maxLocations {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		zone = nil
	}
	if _, known := locations.LoadOrStore(strings.Clone(name), zone); !known {
		locationsLen.Add(1)
	}
	return zone
}

// arrayTime reads Jackson's default form of a LocalDateTime, which omits seconds and
// nanoseconds of zero, and of a LocalDate.
func arrayTime(v Value) (time.Time, bool) {
	parts := [7]int{}
	if v.Len() < 3 || v.Len() == 4 || v.Len() > len(parts) {
		return time.Time{}, false
	}
	for i := range v.Len() {
		n, err := strconv.Atoi(v.At(i).Text())
		if v.At(i).Kind() != Number || err != nil {
			return time.Time{}, false
		}
		parts[i] = n
	}
	t := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], parts[6], time.UTC)
	same := parts == [7]int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond()}
	return t, same // false: a part is out of range
}

// timeMembers are the members for seconds since 1970 and for nanoseconds of objects
// that are a time.
var timeMembers = [][2]string{
	{"seconds", "nanos"},         // Protobuf, Gson
	{"seconds", "nanoseconds"},   // Firestore
	{"_seconds", "_nanoseconds"}, // Firestore's admin library
	{"epochSecond", "nano"},      // Jackson without its module for java.time
}

func objectTime(v Value) (time.Time, bool) {
	if v.Len() > 2 {
		return time.Time{}, false
	}
	if date := v.Get("$date"); v.Len() == 1 && date.Kind() != Missing { // MongoDB, relaxed and canonical
		if date.Len() == 1 {
			date = date.Get("$numberLong")
		}
		if date.Kind() == Number || date.Kind() == String {
			return readTime(date)
		}
	}
	for _, names := range timeMembers {
		seconds, nanos := v.Get(names[0]), v.Get(names[1])
		if seconds.IsNil() || v.Len() == 2 && nanos.Kind() != Number {
			continue
		}
		s, err := strconv.ParseInt(seconds.Text(), 10, 64) // Protobuf's JSON has 64-bit integers as strings
		n := nanos.Float()
		return time.Unix(s, int64(n)).UTC(), err == nil && s >= 0 && s < 1e11 && n >= 0 && n < 1e9
	}
	return time.Time{}, false
}

// epoch reads a time since 1970, an integer without the rounding of float64, or
// digits such as 20261129072249 and 20261129072249123, which as a time since 1970
// would be after 2500, or the date 20261129. What would be before 1990 is another number,
// such as the digits 202611291017.
func epoch(literal string, f float64) (time.Time, bool) {
	if len(literal) == len("20060102") {
		t, err := time.Parse("20060102", literal)
		return t, err == nil && t.Year() >= 1900 && t.Year() < 2100
	}
	if len(literal) == len("20060102150405") || len(literal) == len("20060102150405000") {
		if t, err := time.Parse("20060102150405.000", literal[:14]+"."+(literal[14:] + "000")[:3]); err == nil && t.Year() >= 1900 && t.Year() < 2100 {
			return t, true
		}
	}
	t, ok := sinceEpoch(literal, f)
	return t, ok && !t.Before(instant.Earliest)
}

func sinceEpoch(literal string, f float64) (time.Time, bool) {
	var unit time.Duration
	switch {
	case !(f >= 1e8 && f < 1e19):
		return time.Time{}, false
	case f < 1e11:
		unit = time.Second
	case f < 1e14:
		unit = time.Millisecond
	case f < 1e17:
		unit = time.Microsecond
	default:
		unit = time.Nanosecond
	}
	if len(literal) > longestTime { // not an integer
		literal = ""
	}
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		perSecond := int64(time.Second / unit)
		return time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC(), true
	}
	whole, fraction := math.Modf(f * (float64(unit) / float64(time.Second)))
	return time.Unix(int64(whole), int64(fraction*1e9)).Round(time.Microsecond).UTC(), true
}
