package lag

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lookFor bounds one look.
const lookFor = 30 * time.Second

// part is what is remembered of a partition between two looks.
type part struct {
	topicID string // the instance of the topic that all this is about
	first   int64  // where the oldest waiting record was searched
	oldest  time.Time
	at      int64 // where it was found; below zero: there is none up to searched
	until   int64 // how far it was searched
	end     int64 // the log's end at the last look, and when that was
	looked  time.Time
	rate    float64 // records a second that come in, smoothed; below zero: not known
}

// look asks the brokers once and takes over what they say.
func (m *Monitor) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	waiting, err := m.ask(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	fresh := make(map[string]Backlog, len(m.p.Topics))
	var failed error
	for _, t := range m.p.Topics {
		b, err := m.topic(ctx, t, waiting[t.Name], now)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("topic %s: %w", t.Name, err))
			continue
		}
		fresh[t.Name] = b
	}
	m.mu.Lock()
	m.last = fresh
	m.mu.Unlock()
	return errors.Join(failed, m.lookForUnread(ctx, now))
}

// ask asks what waits, group by group.
func (m *Monitor) ask(ctx context.Context) (map[string]Partitions, error) {
	byGroup := make(map[string][]string)
	var names []string
	for _, t := range m.p.Topics {
		byGroup[t.Group] = append(byGroup[t.Group], t.Name)
		names = append(names, t.Name)
	}
	all := make(map[string]Partitions, len(m.p.Topics))
	for group, topics := range byGroup {
		waiting, err := Waiting(ctx, m.p.Admin, group, m.p.Cluster, topics...)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, waiting)
	}
	return all, m.rules.refresh(ctx, m.p.Admin, names)
}

// topic adds up what waits in a topic's partitions.
func (m *Monitor) topic(ctx context.Context, t Topic, waiting Partitions, now time.Time) (Backlog, error) {
	b := Backlog{Topic: t, Looked: true, Retention: m.rules.of(t.Name).age}
	if waiting.Err != nil {
		return b, waiting.Err
	}
	for id, w := range waiting.Parts {
		at := place{t.Name, id}
		p := m.part(at, waiting.TopicID)
		p.grow(w.End, now)
		if w.Waiting == 0 {
			continue
		}
		oldest, err := m.oldest(ctx, p, at, w.First, w.End)
		if err != nil {
			return b, fmt.Errorf("read the oldest waiting record of partition %d: %w", id, err)
		}
		if oldest.IsZero() { // nothing but markers of transactions, or what compaction left
			continue
		}
		b.Waiting += w.Waiting
		if b.Oldest.IsZero() || oldest.Before(b.Oldest) {
			b.Oldest = oldest
		}
		until := m.rules.keptUntil(at, oldest, p.at, w, p.rate, now)
		if !until.IsZero() && (b.KeptUntil.IsZero() || until.Before(b.KeptUntil)) {
			b.KeptUntil = until
		}
	}
	return b, nil
}

func (m *Monitor) part(at place, topicID string) *part {
	p := m.parts[at]
	if p == nil || p.topicID != topicID {
		p = &part{topicID: topicID, first: -1, at: -1, rate: -1}
		m.parts[at] = p
	}
	return p
}

// grow keeps account of how fast the log grows.
func (p *part) grow(end int64, now time.Time) {
	if passed := now.Sub(p.looked).Seconds(); !p.looked.IsZero() && passed > 0 {
		rate := max(float64(end-p.end)/passed, 0)
		if p.rate < 0 {
			p.rate = rate
		}
		p.rate += (rate - p.rate) / 8
	}
	p.end, p.looked = end, now
}

// oldest returns when the first record from first on was written; zero: there
// is none up to end. It is read once, as long as it stays the first.
func (m *Monitor) oldest(ctx context.Context, p *part, at place, first, end int64) (time.Time, error) {
	switch {
	case p.first < 0 || first < p.first: // nothing is known
		p.until = first
	case first <= p.at: // nothing stands between
		return p.oldest, nil
	default:
		p.until = max(first, p.until)
	}
	p.first, p.at, p.oldest = first, -1, time.Time{}
	found, until, err := firstFrom(ctx, m.p.Log, at.topic, at.id, p.until, end)
	if err != nil {
		return time.Time{}, err
	}
	p.until = until
	if found != nil {
		p.at, p.oldest, p.until = found.Offset, found.Timestamp, found.Offset
	}
	return p.oldest, nil
}

// firstFrom returns the first record at an offset or above it, below end; nil:
// there is none as far as until.
func firstFrom(ctx context.Context, in Log, topic string, id int32, from, end int64) (found *kgo.Record, until int64, err error) {
	for from < end {
		records, next, err := in.Read(ctx, topic, id, from, 1)
		if err != nil {
			return nil, from, err
		}
		if i := slices.IndexFunc(records, func(r *kgo.Record) bool { return r.Offset >= from }); i >= 0 {
			return records[i], from, nil
		}
		if next <= from {
			break
		}
		from = next
	}
	return nil, from, nil
}

// Oldest returns when the oldest record that waits in a topic was written; zero:
// none waits.
func Oldest(ctx context.Context, in Log, topic string, p Partitions) (oldest time.Time, err error) {
	for id, part := range p.Parts {
		if part.Waiting == 0 {
			continue
		}
		r, _, err := firstFrom(ctx, in, topic, id, part.First, part.End)
		if err != nil {
			return oldest, fmt.Errorf("read the oldest record of %s: %w", topic, err)
		}
		if r != nil && (oldest.IsZero() || r.Timestamp.Before(oldest)) {
			oldest = r.Timestamp
		}
	}
	return oldest, nil
}

// lookForUnread finds outboxes of our group that no channel is configured for
// and whose alerts therefore wait for nobody.
func (m *Monitor) lookForUnread(ctx context.Context, now time.Time) error {
	committed, err := m.p.Admin.FetchOffsets(ctx, m.p.OutboxGroup)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("read the offsets of group %s: %w", m.p.OutboxGroup, err)
	}
	var strangers []string
	for topic := range committed {
		ours := slices.ContainsFunc(m.p.Topics, func(t Topic) bool { return t.Name == topic })
		if !ours && strings.HasPrefix(topic, m.p.Outboxes) {
			strangers = append(strangers, topic)
		}
	}
	if len(strangers) == 0 {
		return nil
	}
	waiting, err := Waiting(ctx, m.p.Admin, m.p.OutboxGroup, m.p.Cluster, strangers...)
	if err != nil {
		return err
	}
	for topic, w := range waiting {
		if w.Total() == 0 || now.Sub(m.unread[topic]) < sayEvery {
			continue
		}
		m.unread[topic] = now
		channel := strings.TrimPrefix(topic, m.p.Outboxes)
		m.log.Error("alerts wait for a channel that is not configured", "channel", channel, "topic", topic, "waiting", w.Total(),
			"do", fmt.Sprintf("configure it again, or restart a notifier and send them elsewhere with 'notifier channels move %s CHANNEL'", channel))
	}
	return nil
}
