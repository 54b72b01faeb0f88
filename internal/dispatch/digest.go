package dispatch

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/throttle"
)

// all iterates over a delivery and its members.
func (d *delivery) all(yield func(*delivery) bool) {
	if !yield(d) {
		return
	}
	for _, m := range d.members {
		if !yield(m) {
			return
		}
	}
}

// digest makes a message one of a delivery and its members.
func (t turn) digest(m *channel.Message) {
	o, l, all := t.o, t.l, slices.Collect(t.d.all)
	slices.SortFunc(all, func(a, b *delivery) int {
		x, y := a.envelope.Alert, b.envelope.Alert
		return cmp.Or(cmp.Compare(y.Severity.Rank(), x.Severity.Rank()), y.EventTime.Compare(x.EventTime), cmp.Compare(b.at.Offset, a.at.Offset))
	})
	worst := all[0].envelope
	m.Alert, m.Event = *worst.Alert, worst.Event()
	if t.d.sent.IsZero() { // else its recipients that are left get the same
		t.d.groups = t.d.told()
	}
	d := &channel.Digest{Groups: t.d.groups, Alerts: len(all), New: len(all), First: worst.Alert.EventTime, Last: worst.Alert.EventTime}
	for _, x := range all {
		at := x.envelope.Alert.EventTime
		if at.Before(d.First) {
			d.First = at
		}
		if at.After(d.Last) {
			d.Last = at
		}
		m.MayBeDuplicate = m.MayBeDuplicate || x.mayBeDuplicate
	}
	if d.Groups == 1 {
		d.Group = worst.Alert.GroupParts()
	}
	if d.Groups == 1 && l.group != nil {
		before, first, message := l.group.Before(worst.Alert.Severity.Rank())
		if before > 0 && first.Before(d.First) {
			d.First = first
		}
		d.Alerts, d.Edit = d.Alerts+before, message
	}
	if t.d.brief {
		m.Alert.Text, m.Alert.Fields, m.Event = nil, nil, nil
	} else {
		d.Items = t.items(all, o.lanes.gather.config.MaxItems)
	}
	m.Digest = d
}

// items returns so many alerts of those sorted, from as many groups as possible.
func (t turn) items(sorted []*delivery, most int) []alert.Alert {
	items, rest := make([]alert.Alert, 0, min(len(sorted), most)), sorted
	if len(t.d.tied) > 0 {
		seen := make(map[*lane]bool)
		first := func(d *delivery) bool { // of its group
			l := t.l
			if d != t.d {
				l = d.from
			}
			defer func() { seen[l] = true }()
			return !seen[l]
		}
		var ones, others []*delivery
		for _, d := range sorted {
			if first(d) {
				ones = append(ones, d)
			} else {
				others = append(others, d)
			}
		}
		rest = append(ones, others...)
	}
	for _, d := range rest[:min(len(rest), most)] {
		items = append(items, *d.envelope.Alert)
	}
	return items
}

// throttled returns how many alerts were throttled since the last message of each
// alert key, and since when.
func (t turn) throttled() (n int, since time.Time) {
	if len(t.d.members) == 0 {
		return t.o.throttles.Suppressed(t.d.envelope.Alert)
	}
	seen := make(map[throttle.Key]bool)
	for d := range t.d.all {
		a := d.envelope.Alert
		if a.Throttle <= 0 && !a.Clears {
			continue
		}
		key := throttle.KeyOf(a)
		if seen[key] {
			continue
		}
		seen[key] = true
		more, from := t.o.throttles.Suppressed(a)
		n += more
		if more > 0 {
			since = earlier(since, from)
		}
	}
	return n, since
}

// openThrottles opens the throttles and episodes of what somebody has for the first time,
// the most severe last, and ends the episodes that were resolved. The delivery is settled
// once the state topic says so.
func (t turn) openThrottles(receipt string, now time.Time) {
	if !t.d.sent.IsZero() || t.d.envelope.Replay != nil && !t.resolvesAgain() {
		return
	}
	if a := t.d.envelope.Alert; len(t.d.members) == 0 && a.Throttle <= 0 && !a.Clears {
		return
	}
	all := slices.Collect(t.d.all)
	slices.SortStableFunc(all, func(a, b *delivery) int {
		return cmp.Compare(a.envelope.Alert.Severity.Rank(), b.envelope.Alert.Severity.Rank())
	})
	for _, d := range all {
		x := turn{t.o, t.l, d}
		x.noteTold(receipt, now)
		t.d.saves = max(t.d.saves, d.saves)
	}
}

// traces returns the traces that the message speaks for as well.
func (t turn) traces() []string {
	others := t.o.throttles.Traces(t.d.envelope)
	for _, m := range t.d.members {
		if len(others) >= throttle.MaxLinks {
			break
		}
		if m.envelope.Trace != "" {
			others = append(others[:len(others):len(others)], m.envelope.Trace)
		}
	}
	return others
}

// tellGroups opens the windows of the groups that the message told.
func (t turn) tellGroups(receipt channel.Receipt, now time.Time) {
	g, d := t.o.lanes.gather, t.d
	if t.l.group == nil || !g.gathers(d) || !d.sent.IsZero() {
		return
	}
	told := make(map[*lane]*digest.Told, 1+len(d.tied))
	for x := range d.all {
		l, a := t.l, x.envelope.Alert
		if x != d && x.from.host != nil {
			l = x.from
		}
		one := told[l]
		if one == nil {
			one = &digest.Told{Severity: a.Severity, First: a.EventTime}
			told[l] = one
		}
		one.Alerts++
		if a.Severity.Rank() > one.Severity.Rank() {
			one.Severity = a.Severity
		}
		if a.EventTime.Before(one.First) {
			one.First = a.EventTime
		}
	}
	if len(d.members) > 0 && d.groups == 1 {
		told[t.l].Message = receipt.ID
	}
	for l, one := range told {
		l.group.Tell(g.config, now, *one)
		g.groups.Keep(l.groupKey, l.group, now)
	}
}

// tellDigested counts and logs the delivery of a digest.
func (t turn) tellDigested(r channel.Receipt, now time.Time) {
	o, d := t.o, t.d
	newest := d.envelope.Alert.EventTime
	for x := range d.all {
		if at := x.envelope.Alert.EventTime; at.After(newest) {
			newest = at
		}
		o.metrics.outcome(digested)
		if x != d {
			o.tell(slog.LevelDebug, "delivered in a digest", x, "digest", d.envelope.Delivery)
		}
	}
	o.metrics.took(now.Sub(newest)) // the others were gathered by choice
	o.tell(slog.LevelInfo, "digest delivered", d, "alerts", 1+len(d.members), "groups", d.groups, "attempts", d.tries, "receipt", r.ID)
}

// shorten has a digest that was refused for its content tried once more, at once,
// without the texts of its alerts; it reports whether it does.
func (t turn) shorten() bool {
	if len(t.d.members) == 0 || t.d.brief {
		return false
	}
	t.d.brief = true
	t.o.lanes.enqueue(t.l)
	return true
}

// suppressDigest settles a digest of which all alerts have expired, and reports
// whether it did.
func (t turn) suppressDigest(now time.Time) bool {
	if t.d.tries == 0 || t.d.recipients != nil || len(t.d.refused) > 0 { // as in policy
		return false
	}
	for d := range t.d.all {
		if !hasExpired(d.envelope.Alert, now) {
			return false
		}
	}
	members := t.d.members
	t.d.members = nil
	for _, m := range members {
		x := turn{t.o, t.l, m}
		m.mayBeDuplicate = m.mayBeDuplicate || t.d.mayBeDuplicate
		x.noteInDoubt(now)
		x.drop(expired, x.expire(now))
	}
	t.noteInDoubt(now)
	t.endKept(expired, t.expire(now), func() { t.o.lanes.advance(t.l) })
	return true
}

// expire counts and logs that an alert is too old, and says how old it is.
func (t turn) expire(now time.Time) string {
	age, limit := now.Sub(t.d.envelope.Alert.EventTime), t.d.envelope.Alert.Expire
	t.o.metrics.suppressed(expired)
	t.o.tell(slog.LevelInfo, "expired, not sent", t.d, "age", age.Round(time.Second))
	return fmt.Sprintf("%s old, it expires after %s", channel.Duration(age), channel.Duration(limit))
}

func hasExpired(a *alert.Alert, now time.Time) bool {
	return a.Expire > 0 && now.Sub(a.EventTime) > a.Expire
}

// rules iterates over the rules of a delivery and its members.
func (d *delivery) rules(yield func(string) bool) {
	if !yield(d.rule()) || len(d.tied) == 0 {
		return
	}
	seen := []string{d.rule()}
	for _, m := range d.members {
		if rule := m.rule(); !slices.Contains(seen, rule) {
			seen = append(seen, rule)
			if !yield(rule) {
				return
			}
		}
	}
}
