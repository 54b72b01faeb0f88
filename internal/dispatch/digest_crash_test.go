package dispatch

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
)

// reject returns the outbox record of a reject of one venue.
func reject(i int, venue string, severity alert.Severity) *kgo.Record {
	r := outboxRecord(fmt.Sprint("dl_", i), func(e *envelope.Envelope) {
		e.Alert.ID, e.Alert.Key, e.Alert.Group, e.Alert.Severity = fmt.Sprint(i), []string{fmt.Sprint("account ", i)}, []string{venue}, severity
		e.Alert.EventTime = time.Now()
	})
	r.Key, r.Offset = fmt.Append(nil, i), int64(i)
	return r
}

// take takes records in, and commits from time to time, as the daemon does.
func (o *owner) take(records ...*kgo.Record) {
	o.a.Take(o.t.Context(), o.steps.Deliver(o.part, records))
	synctest.Wait()
}

func (o *owner) live(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		o.commit(false)
	}
}

func TestVenueOutageIsToldInAFewMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := takeOver(t, 0, nil, nil, chat)
		defer o.close()
		start := time.Now()
		for i := 0; i < 10_000; i += 500 { // in one second; a critical one of another group comes in the middle
			var records []*kgo.Record
			for j := i; j < i+500; j++ {
				if j == 7000 {
					records = append(records, reject(j, "margin", alert.Critical))
				} else {
					records = append(records, reject(j, "XNAS", alert.Warning))
				}
			}
			o.take(records...)
			o.live(50 * time.Millisecond)
		}
		o.live(3 * time.Minute)
		sends, told := o.ch.all(), 0
		for _, s := range sends {
			told += speaksFor(s.m)
			if s.m.Alert.Severity == alert.Critical && s.at.Sub(start) > 3*time.Second {
				t.Errorf("the critical alert comes after %s", s.at.Sub(start))
			}
		}
		if sends[0].at.Sub(start) > 200*time.Millisecond || sends[0].m.Digest != nil {
			t.Errorf("the first message comes after %s", sends[0].at.Sub(start))
		}
		if d := sends[len(sends)-1].m.Digest; d == nil || d.Alerts != 9_999 || len(d.Items) != 20 {
			t.Errorf("the last message says %+v", d)
		}
		if len(sends) > 7 || told != 10_000 || o.left() != 0 || o.last.At.Offset != 10_000 {
			t.Errorf("%d messages tell %d alerts, %d left, committed %d", len(sends), told, o.left(), o.last.At.Offset)
		}
	})
}

// TestVenueOutageSurvivesCrash: whenever its owner is killed, each reject is told, and
// of the one group one digest at most is told again.
func TestVenueOutageSurvivesCrash(t *testing.T) {
	const rejects = 10_000
	for _, after := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 20 * time.Second, 30*time.Second + 50*time.Millisecond, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			slow := func(channel.Message, int) (channel.Receipt, error) {
				time.Sleep(100 * time.Millisecond)
				return channel.Receipt{}, nil
			}
			record := func(i int) *kgo.Record { return reject(i, "XNAS", alert.Warning) }
			former := takeOver(t, 0, nil, slow, chat)
			defer former.close()
			start, next := time.Now(), 0
			for ; next < rejects && time.Since(start) < after; next += 500 {
				var records []*kgo.Record
				for i := next; i < next+500; i++ {
					records = append(records, record(i))
				}
				former.take(records...)
				former.live(50 * time.Millisecond)
			}
			former.live(after - time.Since(start))
			told, largest := 0, 0
			for _, s := range former.ch.all() {
				told += speaksFor(s.m)
				largest = max(largest, speaksFor(s.m))
			}
			o := takeOverLog(t, rejects, record, former.last, slow, chat)
			defer o.close()
			o.live(10 * time.Minute)
			again, marked, digests := 0, 0, 0
			for _, s := range o.ch.all() {
				again += speaksFor(s.m)
				if s.m.MayBeDuplicate {
					marked++
					if s.m.Digest != nil {
						digests++
					}
				}
			}
			if told+again < rejects || o.left() != 0 || o.last.At.Offset != rejects {
				t.Errorf("after %s: %d and %d are told, %d left, committed %d", after, told, again, o.left(), o.last.At.Offset)
			}
			if repeats := told + again - rejects; repeats > largest || repeats > 0 && marked == 0 || digests > 1 {
				t.Errorf("after %s: %d alerts are told again, by %d marked messages, %d of them digests", after, repeats, marked, digests)
			}
			if n := len(former.ch.all()) + len(o.ch.all()); n > 8 {
				t.Errorf("after %s: %d messages", after, n)
			}
		})
	}
}

// members are the deliveries that a message speaks for, as its items show them.
func members(m channel.Message) []string {
	if m.Digest == nil {
		return []string{m.Alert.ID}
	}
	var ids []string
	for _, a := range m.Digest.Items {
		ids = append(ids, a.ID)
	}
	return ids
}

// TestCrashRepeatsAtMostOneDigestOfAGroup, and loses nothing, whenever it comes.
func TestCrashRepeatsAtMostOneDigestOfAGroup(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 29 * time.Second, 30*time.Second + 50*time.Millisecond, 31 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			change := func(c *Config) {
				chat(c)
				c.Digest.Own.MaxItems = 100
			}
			slow := func(channel.Message, int) (channel.Receipt, error) {
				time.Sleep(100 * time.Millisecond)
				return channel.Receipt{}, nil
			}
			former := takeOver(t, 0, nil, slow, change)
			defer former.close()
			const n = 90
			record := func(i int) *kgo.Record { return reject(i, fmt.Sprint("venue ", i%3), alert.Warning) }
			for i := range n {
				former.take(record(i))
			}
			former.live(after)
			o := takeOverLog(t, n, record, former.last, slow, change)
			defer o.close()
			o.live(10 * time.Minute)
			told, repeated := make(map[string]int), make(map[string]bool)
			for _, s := range former.ch.all() {
				for _, id := range members(s.m) {
					told[id]++
				}
			}
			for _, s := range o.ch.all() {
				for _, id := range members(s.m) {
					if told[id]++; told[id] > 1 {
						repeated[fmt.Sprint(s.m.Alert.Group, s.id)] = true
						if !s.m.MayBeDuplicate {
							t.Errorf("after %s: %s is repeated in %s, and not marked", after, id, s.id)
						}
					}
				}
			}
			if len(told) != n || o.left() != 0 || o.last.At.Offset != n {
				t.Errorf("after %s: %d of %d told, %d left, committed %d", after, len(told), n, o.left(), o.last.At.Offset)
			}
			if len(repeated) > 3 {
				t.Errorf("after %s: repeated %v", after, repeated)
			}
		})
	}
}

// TestGatheredAlertsHoldTheirOffsets: nothing is committed before its message is sent.
func TestGatheredAlertsHoldTheirOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Digest != nil && n < 5 {
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}
		o := takeOver(t, 0, nil, answer, withDigest)
		defer o.close()
		for i := range 10 {
			o.take(reject(i, "XNAS", alert.Warning))
		}
		o.take(reject(10, "ARCX", alert.Warning))
		o.live(29 * time.Second)
		if o.last.At.Offset != 1 || !o.last.Finished(10) {
			t.Errorf("committed %d while nine are gathered", o.last.At.Offset)
		}
		for len(o.ch.all()) < 7 {
			o.live(100 * time.Millisecond)
			if len(o.ch.all()) < 7 && (o.last.At.Offset != 1 || o.last.Finished(5)) {
				t.Fatalf("committed %d before the digest was sent", o.last.At.Offset)
			}
		}
		o.live(time.Second)
		if o.last.At.Offset != 11 || o.left() != 0 {
			t.Errorf("committed %d, %d left", o.last.At.Offset, o.left())
		}
	})
}

// TestSuspendedChannelKeepsWhatIsGathered, and tells it in one message when it works.
func TestSuspendedChannelKeepsWhatIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := takeOver(t, 0, nil, nil, chat)
		defer o.close()
		o.ch.set(revoked)
		for i := range 300 {
			o.take(reject(i, fmt.Sprint("venue ", i%30), alert.Warning))
		}
		o.live(30 * time.Minute)
		o.ch.set(nil)
		before := len(o.ch.all())
		o.live(10 * time.Minute)
		told := 0
		for _, s := range o.ch.all()[before:] {
			told += speaksFor(s.m)
		}
		if n := len(o.ch.all()) - before; told != 300 || n > 10 || o.left() != 0 || o.last.At.Offset != 300 {
			t.Errorf("%d messages tell %d alerts, %d left, committed %d", n, told, o.left(), o.last.At.Offset)
		}
	})
}

// TestAlertsOfADigestKeepTheirBytes in their dead letters.
func TestAlertsOfADigestKeepTheirBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := takeOver(t, 0, nil, func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Digest != nil {
				return channel.Receipt{}, errRefused
			}
			return channel.Receipt{}, nil
		}, withDigest)
		defer o.close()
		var want []string
		for i := range 10 {
			r := reject(i, "XNAS", alert.Warning)
			if i > 0 {
				e, _, err := envelope.Parse(r)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := json.Marshal(e.Source.Value)
				want = append(want, e.Delivery+string(b))
			}
			o.take(r)
		}
		o.live(time.Minute)
		var got []string
		for _, e := range o.dead.all() {
			b, _ := json.Marshal(e.Envelope.Source.Value)
			got = append(got, e.ID+string(b))
		}
		if !slices.Equal(sorted(got), sorted(want)) || o.last.At.Offset != 10 {
			t.Errorf("got %v\nwant %v, committed %d", got, want, o.last.At.Offset)
		}
	})
}

// TestGatheringEndsWhereTheWindowFills: what is gathered never keeps the partition from
// being read.
func TestGatheringEndsWhereTheWindowFills(t *testing.T) {
	for n, want := range map[int]struct{ least, most int }{1000: {10, 10}, 2200: {2100, 2210}} { // some may come after a claim, and gather again
		synctest.Test(t, func(t *testing.T) {
			o := takeOver(t, 0, nil, nil, withDigest)
			defer o.close()
			for i := range 10 {
				o.take(reject(i, fmt.Sprint("venue ", i), alert.Warning))
			}
			o.live(time.Second)
			var records []*kgo.Record
			for i := range n {
				records = append(records, reject(10+i, fmt.Sprint("venue ", i%10), alert.Warning))
			}
			for batch := range slices.Chunk(records, 100) {
				o.take(batch...)
			}
			o.live(10 * time.Second)
			told := 0
			for _, s := range o.ch.all() {
				told += speaksFor(s.m)
			}
			if told < want.least || told > want.most {
				t.Errorf("%d of %d told, want %d to %d", told, n, want.least, want.most)
			}
		})
	}
}

// TestGapsOfDigestsDoNotBlockOthers: a commit lists only so many runs of what is
// gathered between what was settled.
func TestGapsOfDigestsDoNotBlockOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := takeOver(t, 0, nil, nil, withDigest)
		defer o.close()
		o.take(reject(0, "A", alert.Warning))
		o.live(10 * time.Second)
		o.take(reject(1, "B", alert.Warning))
		for i := 2; i < 1900; i++ {
			o.take(reject(i, []string{"A", "B"}[i%2], alert.Warning))
		}
		o.live(21 * time.Second) // the window of A has ended
		o.take(reject(1900, "C", alert.Critical))
		o.live(time.Second)
		if s := o.ch.all(); !slices.ContainsFunc(s, func(s sent) bool { return s.m.Alert.Severity == alert.Critical }) {
			t.Errorf("%d messages, and not the critical one", len(s))
		}
		o.live(time.Minute)
		if o.left() != 0 || o.last.At.Offset != 1901 {
			t.Errorf("%d left, committed %d", o.left(), o.last.At.Offset)
		}
	})
}

// TestFailedDigestCountsAttemptsOfItsFirst alone: after a crash the alerts that it told
// besides have all of their own.
func TestFailedDigestCountsAttemptsOfItsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := takeOver(t, 0, nil, func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Digest != nil {
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}, withDigest)
		defer o.close()
		const n = 10
		for i := range n {
			o.take(reject(i, "XNAS", alert.Warning))
		}
		for len(o.ch.all()) < 5 { // the first alert, and four attempts of the digest
			o.live(100 * time.Millisecond)
		}
		o.live(200 * time.Millisecond)
		last, err := offsets.DecodeMetadata(o.last.Metadata, o.last.At.Offset)
		if err != nil || o.last.At.Offset != 1 {
			t.Fatalf("committed %d, %v", o.last.At.Offset, err)
		}
		attempts := len(o.ch.all()) - 1
		if got := last.Tried[1].Attempts; got == 0 || got > attempts {
			t.Errorf("%d attempts of the first alert of the digest, want up to %d", got, attempts)
		}
		for offset := int64(2); offset < n; offset++ {
			if got := last.Tried[offset]; got.Attempts != 0 || !got.First.IsZero() {
				t.Errorf("offset %d: %+v, want no attempt", offset, got)
			}
		}
	})
}
