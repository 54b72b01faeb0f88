package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/digest"
)

func withDigest(c *Config) { c.Digest = digest.Setting{On: true} }

// chat is a channel of one message a second, with a burst of three, and digests.
func chat(c *Config) {
	withDigest(c)
	c.Concurrency, c.Pace = 1, Pace{Rate: 1, Burst: 3}
}

func group(name string) func(*alert.Alert) {
	return func(a *alert.Alert) { a.Group = []string{name} }
}

// speaksFor returns how many alerts a message is the first to tell.
func speaksFor(m channel.Message) int {
	if m.Digest == nil {
		return 1
	}
	return m.Digest.New
}

func TestFirstAlertIsSentAtOnceThenDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		start := time.Now()
		for i := range 5 {
			b.put(fmt.Sprint(i), fmt.Sprint("account ", i), group("venue"))
			pass(time.Second)
		}
		if got := b.ch.ids(); !slices.Equal(got, []string{"0"}) {
			t.Fatalf("sent %v within the window", got)
		}
		pass(26 * time.Second)
		sends := b.ch.all()
		if len(sends) != 2 || sends[1].at.Sub(start) != 30*time.Second || b.left() != 0 {
			t.Fatalf("%d messages, %d left", len(sends), b.left())
		}
		d := sends[1].m.Digest
		if d == nil || d.Alerts != 5 || d.New != 4 || d.Groups != 1 || !slices.Equal(d.Group, []string{"venue"}) || !d.First.Equal(start) ||
			d.Last.Sub(start) != 4*time.Second || len(d.Items) != 4 || sends[1].id != "1" {
			t.Errorf("%s: %+v", sends[1].id, d)
		}
	})
}

func TestWindowDoublesWithDigestsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		start := time.Now()
		for i := range 1200 { // one a second, for 20 minutes
			b.put(fmt.Sprint(i), "A")
			pass(time.Second)
		}
		pass(10 * time.Minute)
		b.put("idle again", "A")
		synctest.Wait()
		var at []int
		for _, s := range b.ch.all() {
			at = append(at, int(s.at.Sub(start).Seconds()))
		}
		if want := []int{0, 30, 90, 210, 450, 750, 1050, 1350, 1800}; !slices.Equal(at, want) {
			t.Errorf("messages after %v seconds, want %v", at, want)
		}
		if d := b.ch.all()[7].m.Digest; d.Alerts != 1200 {
			t.Errorf("the last digest says %d alerts", d.Alerts)
		}
	})
}

func TestLoneGatheredAlertIsSentAsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.put("1", "A")
		b.put("2", "A")
		pass(time.Minute)
		if sends := b.ch.all(); len(sends) != 2 || sends[1].id != "2" || sends[1].m.Digest != nil {
			t.Errorf("sent %+v", sends)
		}
	})
}

func TestMoreSevereAlertEndsTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.put("first", "A")
		b.put("same", "A")
		pass(time.Second)
		b.put("critical", "A", critical)
		synctest.Wait()
		sends := b.ch.all()
		if len(sends) != 2 || sends[1].m.Alert.Severity != alert.Critical || sends[1].m.Digest.New != 2 {
			t.Fatalf("sent %v", b.ch.ids())
		}
		b.put("critical again", "A", critical)
		pass(9 * time.Second)
		if len(b.ch.all()) != 2 {
			t.Error("a second critical alert was not gathered")
		}
		pass(time.Second)
		if got := b.ch.ids(); len(got) != 3 {
			t.Errorf("sent %v when the critical window ended", got)
		}
	})
}

func TestDigestEditsItsMessageUnlessSeverityRises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			return channel.Receipt{ID: "ts of " + m.Delivery}, nil
		}
		for i := range 200 { // digests after 30, 90 and 210 s
			b.put(fmt.Sprint(i), "A")
			pass(time.Second)
		}
		pass(20 * time.Second)
		b.put("critical", "A", critical)
		synctest.Wait()
		var edits []string
		for _, s := range b.ch.all() {
			if s.m.Digest != nil {
				edits = append(edits, s.m.Digest.Edit)
			}
		}
		if len(edits) != 3 || edits[0] != "" || edits[1] != "ts of 1" || edits[2] != "ts of 30" {
			t.Errorf("edits %q", edits)
		}
	})
}

func TestReplaysAreNotGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.put("1", "A")
		b.put("2", "A")
		b.again("replay", "A", 1)
		b.again("another", "A", 1)
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(sorted(got), []string{"1", "another", "replay"}) {
			t.Errorf("sent %v at once", got)
		}
	})
}

// What a throttle suppresses is settled when it comes; what came before the throttle
// was opened, when the window ends.
func TestThrottledAlertsAreNotGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		answered := make(chan struct{})
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			<-answered
			return channel.Receipt{}, nil
		}
		hour := func(a *alert.Alert) { a.Throttle = time.Hour }
		b.put("1", "A", group("g"), hour)
		synctest.Wait()
		b.put("before", "A", group("g"), hour)
		close(answered)
		synctest.Wait()
		b.put("after", "A", group("g"), hour)
		b.put("other key", "B", group("g"), hour)
		if n := b.left(); n != 2 {
			t.Errorf("%d are left: after is throttled", n)
		}
		pass(time.Minute)
		b.put("told", "B", group("g"), hour)
		pass(time.Hour)
		if got := b.ch.ids(); !slices.Equal(got, []string{"1", "other key"}) || b.left() != 0 {
			t.Errorf("sent %v, %d left", got, b.left())
		}
	})
}
