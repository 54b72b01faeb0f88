// Package duration reads and writes durations as files and flags have them.
package duration

import (
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Parse reads a duration as time.ParseDuration does, such as 1.5h, or with days and
// weeks as Prometheus does, such as 7d, 1d12h or 1w. A day has 24 hours.
func Parse(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return d, nil
	}
	long, longErr := model.ParseDuration(text)
	if longErr != nil {
		return 0, err
	}
	return time.Duration(long), nil
}

// Text returns a duration as one writes it in a file: 10m, not 10m0s.
func Text(d time.Duration) string {
	text := d.String()
	for _, unit := range []string{"m0s", "h0m"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text = rest + unit[:1]
		}
	}
	return text
}
