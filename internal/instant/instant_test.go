package instant_test

import (
	"math"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/instant"
)

func TestPlausibleTimesAreBounded(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 31, 6, 0, time.UTC)
	for name, c := range map[string]struct {
		t    time.Time
		want bool
	}{
		"now":                     {now, true},
		"the earliest":            {instant.Earliest, true},
		"before the earliest":     {instant.Earliest.Add(-time.Nanosecond), false},
		"zero":                    {time.Time{}, false},
		"1970":                    {time.UnixMilli(1795444265), false},
		"a day ahead":             {now.Add(24 * time.Hour), true},
		"more than a day ahead":   {now.Add(24*time.Hour + 1), false},
		"microseconds as millis":  {time.UnixMilli(1795444265000000), false},
		"the largest timestamp":   {time.UnixMilli(math.MaxInt64), false},
		"the smallest timestamp":  {time.UnixMilli(math.MinInt64), false},
		"no timestamp (Kafka)":    {time.UnixMilli(-1), false},
		"weeks ago":               {now.AddDate(0, 0, -40), true},
		"in another zone, a year": {now.AddDate(-1, 0, 0).In(time.FixedZone("", 3600)), true},
	} {
		if got := instant.Plausible(c.t, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	old := now.AddDate(0, -1, 0)
	for name, c := range map[string]struct {
		times []time.Time
		want  time.Time
	}{
		"none":        {nil, now},
		"the first":   {[]time.Time{old, now}, old},
		"the second":  {[]time.Time{{}, old}, old},
		"no good one": {[]time.Time{{}, time.UnixMilli(-1)}, now},
	} {
		if got := instant.First(now, c.times...); !got.Equal(c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestEventTimesAreNearTheirRecord(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 31, 6, 0, time.UTC)
	old := now.AddDate(-20, 0, 0)
	for name, c := range map[string]struct {
		t, recorded time.Time
		want        bool
	}{
		"nine years before":              {now.AddDate(-9, 0, 0), now, true},
		"eleven years before":            {now.AddDate(-11, 0, 0), now, false},
		"nine years before an old one":   {old.AddDate(-9, 0, 0), old, true},
		"eleven years after an old one":  {old.AddDate(11, 0, 0), old, false},
		"no timestamp":                   {now.AddDate(-9, 0, 0), time.Time{}, true},
		"no timestamp, far from arrival": {now.AddDate(-11, 0, 0), time.Time{}, false},
		"ahead":                          {now.Add(25 * time.Hour), now, false},
	} {
		if got := instant.PlausibleEvent(c.t, c.recorded, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
