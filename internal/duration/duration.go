// Package duration reads durations as files and flags have them.
package duration

import (
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
