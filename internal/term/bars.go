package term

import "strings"

var bars = []rune(" ▁▂▃▄▅▆▇█")

// Bars draws one column for each value, relative to most. Nothing is drawn for a negative
// value, a line for 0.
func Bars(values []int64, most int64) string {
	var b strings.Builder
	for _, n := range values {
		bar := 0
		if n >= 0 {
			bar = 1 + int(float64(n)/float64(max(most, 1))*float64(len(bars)-2))
		}
		b.WriteRune(bars[bar])
	}
	return b.String()
}
