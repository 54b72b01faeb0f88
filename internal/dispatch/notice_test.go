package dispatch

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// aNotice makes an envelope one of the notifier itself.
func aNotice(e *envelope.Envelope) {
	e.Alert.Topic, e.Alert.Rule, e.Source.Topic = alert.Notifier, alert.Notifier, alert.Notifier
}

// TestRefusedNoticeIsDropped: there is no source topic whose dead letters it could be among,
// and nothing may wait for one.
func TestRefusedNoticeIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newMoveBench(t)
		defer b.close()
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Delivery == "refused" {
				return channel.Receipt{}, outcome.Errorf(outcome.PayloadRefused, "invalid_blocks")
			}
			return channel.Receipt{}, nil
		}
		b.wait("refused", "A", 0, aNotice)
		b.wait("next", "A", 1, aNotice)
		inherited := b.delivery("inherited", "A")
		aNotice(inherited.envelope)
		inherited.inherited = true // a former owner may have sent it
		b.add(b.src, inherited)
		time.Sleep(time.Minute)
		if dead, closed := b.dead.all(), b.dead.closings(); len(dead)+len(closed) > 0 || b.left() != 0 {
			t.Errorf("dead letters %v, closed %v, left %d", dead, closed, b.left())
		}
		if got := b.ch.ids(); !slices.Equal(got, []string{"refused", "next", "inherited"}) {
			t.Errorf("sent %v", got)
		}
	})
}

func TestNoticesAreNotGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Digest = digest.Setting{On: true} })
		defer b.close()
		for i, name := range []string{"one", "two", "three"} {
			b.wait(name, "A", int64(i), aNotice)
		}
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"one", "two", "three"}) || b.left() != 0 {
			t.Errorf("sent %v at once", got)
		}
	})
}

// TestNoticeOfAnEndIsSent: it ends no episode, so none has to be open.
func TestNoticeOfAnEndIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newMoveBench(t)
		defer b.close()
		b.wait("ended", "A", 0, aNotice, func(e *envelope.Envelope) { e.Alert.State = alert.Resolved })
		time.Sleep(time.Minute)
		if got := b.ch.ids(); !slices.Equal(got, []string{"ended"}) || b.left() != 0 {
			t.Errorf("sent %v", got)
		}
	})
}
