package event

import "time"

// parseUTC reads the usual form of RFC 3339, in UTC, faster than time.Parse.
func parseUTC(s string) (time.Time, bool) {
	const seconds = "2006-01-02T15:04:05"
	end := len(s) - 1
	if end < len(seconds) || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[end] != 'Z' {
		return time.Time{}, false
	}
	century, year, month, day := twoDigits(s), twoDigits(s[2:]), twoDigits(s[5:]), twoDigits(s[8:])
	hour, minute, second := twoDigits(s[11:]), twoDigits(s[14:]), twoDigits(s[17:])
	if century > 99 || year > 99 || month-1 > 11 || day-1 > 27 && (month == 2 || day-1 > 29+(month+month>>3)&1) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	nanos := 0
	if end > len(seconds) {
		if s[len(seconds)] != '.' || end == len(seconds)+1 || end > len(seconds)+10 {
			return time.Time{}, false
		}
		for i := len(seconds) + 1; i < len(seconds)+10; i++ {
			nanos *= 10
			if i < end {
				digit := s[i] - '0'
				if digit > 9 {
					return time.Time{}, false
				}
				nanos += int(digit)
			}
		}
	}
	return time.Date(int(100*century+year), time.Month(month), int(day), int(hour), int(minute), int(second), nanos, time.UTC), true
}

// twoDigits returns the number that s begins with, more than 99 if it is none.
func twoDigits(s string) uint {
	a, b := uint(s[0]-'0'), uint(s[1]-'0')
	if a > 9 || b > 9 {
		return 1000
	}
	return 10*a + b
}
