package base

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/config"
)

func TestLogDurationsHaveUnits(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		l := &config.Loaded{Config: config.Defaults()}
		l.Log.Format = format
		var out bytes.Buffer
		log := (&Globals{IO: Streams{Err: &out}}).Logger(l)
		log.With("drain", 20*time.Second).Info("stopping", "age", 1500*time.Millisecond)
		for _, want := range []string{"20s", "1.5s"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %s lacks %s", format, out.String(), want)
			}
		}
	}
}
