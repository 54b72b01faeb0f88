package dispatch

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

func TestCircuitLogsItsCauseAndDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Breaker.Failures = 2 })
		defer b.close()
		said := b.logged()
		b.ch.set(func(_ channel.Message, n int) (channel.Receipt, error) {
			if n == 1 {
				return channel.Receipt{}, outcome.Errorf(outcome.Unreachable, "mail.example: connection refused")
			}
			return channel.Receipt{}, outcome.Errorf(outcome.Unavailable, "returned 503")
		})
		b.put("a", "A")
		pass(10 * time.Second)
		if want := `level=WARN msg="circuit open: deliveries wait, one at a time is tried" every=1s cause=unavailable detail="returned 503" remedy=`; strings.Count(said.String(), want) != 1 {
			t.Errorf("no line %s:\n%s", want, said)
		}
		b.ch.set(nil)
		pass(2 * time.Second)
		_, lasted, found := strings.Cut(said.String(), `msg="circuit closed: channel recovered" lasted=`)
		if d, err := time.ParseDuration(strings.TrimSpace(lasted)); !found || err != nil || d < 9*time.Second || d > 12*time.Second {
			t.Errorf("it lasted %q:\n%s", lasted, said)
		}
	})
}
