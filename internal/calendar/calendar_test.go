package calendar

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// read returns a calendar of a file, in New York unless it has a zone of its own.
func read(t *testing.T, text string) Calendar {
	t.Helper()
	c, faults := decode(text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return c.In(load(t, "America/New_York"))
}

func decode(text string) (Calendar, yamldoc.Faults) {
	var f struct {
		C Calendar `yaml:"c"`
	}
	faults := yamldoc.Decode("rules.yaml", "", []byte("c: "+text+"\n"), &f)
	return f.C, faults
}

func load(t interface{ Fatal(...any) }, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

const overnight = `[{times: ["17:00-06:30"], days: [mon-fri]}, {days: [sat, sun], except: ["2026-12-05"]}, {dates: ["2026-12-25"]}]`

func TestCalendarIsOnInItsTimes(t *testing.T) {
	c := read(t, overnight)
	zone := load(t, "America/New_York")
	for text, want := range map[string]bool{
		"Mon 2026-11-30 06:00": false, // Sunday's night is not in it
		"Mon 2026-11-30 16:59": false, "Mon 2026-11-30 17:00": true, "Mon 2026-11-30 23:59": true,
		"Tue 2026-12-01 00:00": true, "Tue 2026-12-01 06:29": true, "Tue 2026-12-01 06:30": false,
		"Fri 2026-12-04 17:00": true, "Sat 2026-12-05 06:29": true, // Friday's night
		"Sat 2026-12-05 06:30": false, "Sat 2026-12-05 12:00": false, // excepted
		"Sun 2026-12-06 12:00": true, "Mon 2026-12-07 00:00": false,
		"Fri 2026-12-25 12:00": true, "Thu 2026-12-24 12:00": false,
	} {
		at, err := time.ParseInLocation("Mon 2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.On(at.UTC()); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestCalendarFollowsClockChanges: in spring 02:00 to 03:00 is left out, in autumn an hour
// comes twice.
func TestCalendarFollowsClockChanges(t *testing.T) {
	for _, c := range []struct{ zone, calendar, from, until string }{ // in UTC
		{"America/New_York", `{times: ["22:00-06:00"]}`, "2026-03-08T03:00:00Z", "2026-03-08T10:00:00Z"}, // 7 hours
		{"America/New_York", `{times: ["22:00-06:00"]}`, "2026-11-01T02:00:00Z", "2026-11-01T11:00:00Z"}, // 9 hours
		{"Europe/Berlin", `{times: ["22:00-06:00"]}`, "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"},    // 7 hours
		{"Europe/Berlin", `{times: ["22:00-06:00"]}`, "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"},    // 9 hours
		{"America/New_York", `{times: ["02:30-04:00"]}`, "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"}, // from 03:00 on
		{"Europe/Berlin", `{times: ["01:00-02:30"]}`, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},    // until 03:00
		{"America/New_York", `{times: ["01:00-02:00"]}`, "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"}, // twice
		{"America/New_York", `{days: [sun]}`, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},            // 25 hours
		{"UTC", `{times: ["22:00-06:00"], timezone: Europe/Berlin}`, "2026-07-01T20:00:00Z", "2026-07-02T04:00:00Z"},
	} {
		parsed, faults := decode(c.calendar)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		calendar := parsed.In(load(t, c.zone))
		from, until := parse(t, c.from), parse(t, c.until)
		if calendar.On(from.Add(-time.Second)) || !calendar.On(from) || !calendar.On(until.Add(-time.Second)) || calendar.On(until) {
			t.Errorf("%s in %s is not on from %s until %s", c.calendar, c.zone, c.from, c.until)
		}
		if got := calendar.Next(from); !got.Equal(until) {
			t.Errorf("%s in %s: after %s it changes at %s, not %s", c.calendar, c.zone, c.from, got.UTC().Format(time.RFC3339), c.until)
		}
		if got := calendar.Next(from.Add(-time.Minute)); !got.Equal(from) {
			t.Errorf("%s in %s: before %s it changes at %s", c.calendar, c.zone, c.from, got.UTC().Format(time.RFC3339))
		}
	}
}

func parse(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestNextIsTheFirstChange compares Next with a look at every minute, in weeks with and
// without a change of the clocks.
func TestNextIsTheFirstChange(t *testing.T) {
	weeks := []string{"2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-10-31T00:00:00Z", "2026-07-01T00:00:00Z"}
	rapid.Check(t, func(t *rapid.T) {
		c := Calendar{}
		zones := []*time.Location{load(t, "America/New_York"), load(t, "Europe/Berlin"), load(t, "Australia/Lord_Howe"), time.UTC}
		for range rapid.IntRange(1, 2).Draw(t, "parts") {
			p := part{zone: rapid.SampledFrom(zones).Draw(t, "zone")}
			for range rapid.IntRange(0, 2).Draw(t, "times") {
				minute := rapid.Custom(func(t *rapid.T) int { return 30 * rapid.IntRange(0, 47).Draw(t, "half hour") })
				if s := (span{minute.Draw(t, "from"), minute.Draw(t, "to")}); s.from != s.to {
					p.times = append(p.times, s)
				}
			}
			for range rapid.IntRange(0, 3).Draw(t, "days") {
				p.days = append(p.days, time.Weekday(rapid.IntRange(0, 6).Draw(t, "day")))
			}
			c.parts = append(c.parts, p)
		}
		start, _ := time.Parse(time.RFC3339, rapid.SampledFrom(weeks).Draw(t, "week"))
		at := start.Add(time.Duration(rapid.IntRange(0, 2*dayMinutes).Draw(t, "minute")) * time.Minute)
		want := at.Add(time.Minute)
		for end := at.Add(9 * 24 * time.Hour); c.On(want) == c.On(at); want = want.Add(time.Minute) {
			if want.After(end) {
				want = time.Time{}
				break
			}
		}
		if got := c.Next(at); !got.Equal(want) && !want.IsZero() {
			t.Fatalf("%+v: after %s it changes at %s, want %s", c, at, got.UTC(), want)
		}
	})
}

func TestCalendarFaultsHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		`{days: [mon, tues]}`:                             `rules.yaml:1:17: c.days[1]: unknown day "tues": did you mean tue?`,
		`{days: [monday]}`:                                `unknown day "monday": did you mean mon?`,
		`{days: [x-fri]}`:                                 `unknown day "x": use mon, tue, wed, thu, fri, sat, sun`,
		`{days: []}`:                                      `is empty`,
		`{times: ["17-6"]}`:                               `"17-6" is no time of the day: write it as "17:00-06:30"`,
		`{times: ["24:00-06:30"]}`:                        `has a time that no clock shows`,
		`{times: ["17:60-06:30"]}`:                        `has a time that no clock shows`,
		`{times: ["17:00-17:00"]}`:                        `ends when it begins`,
		`{dates: ["25.12.2026"]}`:                         `"25.12.2026" is no date: write it as 2026-12-25`,
		`{dates: ["2026-02-30"]}`:                         `is no date`,
		`{dates: ["2026-12-25"], except: ["2026-12-25"]}`: `c: is never on`,
		`{}`:                `c: is always on`,
		`{days: [mon-sun]}`: `c: is always on`,
		`[{times: ["18:00-06:00"]}, {times: ["06:00-18:00"]}]`: `c: is always on`,
		`{timezone: New York, days: [mon]}`:                    `unknown time zone "New York"`,
		`{time: ["17:00-06:30"]}`:                              `c.time: unknown key: did you mean "times"?`,
		`overnight`:                                            `write times and days`,
	} {
		_, faults := decode(text)
		if len(faults) == 0 || !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %v, want %s", text, faults, want)
		}
	}
	for _, text := range []string{overnight, `{times: ["00:00-24:00"], days: [sat]}`, `{except: ["2026-12-25"]}`, `{times: [9:30 - 16:00]}`, `{days: [fri-mon]}`} {
		if _, faults := decode(text); len(faults) > 0 {
			t.Errorf("%s: %v", text, faults)
		}
	}
}

func TestNextOfDistantDateIsFound(t *testing.T) {
	c := read(t, `{dates: ["2026-12-25"]}`)
	if got, want := c.Next(parse(t, "2026-01-02T00:00:00Z")), parse(t, "2026-12-25T05:00:00Z"); !got.Equal(want) {
		t.Errorf("it begins at %s, want %s", got, want)
	}
	if got := c.Next(parse(t, "2027-01-02T00:00:00Z")); !got.IsZero() {
		t.Errorf("it begins again at %s", got)
	}
}
