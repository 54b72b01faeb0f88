package consume

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health"
)

// The conditions that a member sets, each with a message for the operator: the
// cause and the remedy.

// deniedLease is how long a refusal counts after it was last met. kgo tries
// again more often than that.
const deniedLease = 15 * time.Second

// denies sets that the brokers refuse us something.
func (m *Member) denies(what string, err error) {
	remedy := fmt.Sprintf("grant READ on group %s and on the topics", m.p.Group)
	if strings.Contains(err.Error(), kerr.SaslAuthenticationFailed.Message) {
		remedy = "check user and password in kafka.sasl"
	}
	m.conditions.Set(health.Condition{
		Type: health.Denied, Subject: what, Lease: deniedLease,
		Message: fmt.Sprintf("%s: the brokers refuse us (%s): %s; the daemon ends when it lasts for %s", what, reasonOf(err), remedy, deniedAfter),
	})
}

// evicted sets that the group has given our partitions to others.
func (m *Member) evicted() {
	m.conditions.Set(health.Condition{
		Type: health.Evicted, Subject: m.p.Group, Attrs: []any{"group", m.p.Group},
		Message: fmt.Sprintf("this process was evicted from group %s, since it sent no heartbeat for longer than kafka.session_timeout (%s) or than a rebalance may take (%s); "+
			"it rejoins, and the next owner repeats what it had not committed. "+
			"If it happens again: is the process starved of CPU, frozen, or cut off from the brokers?",
			m.p.Group, m.p.SessionTimeout, rebalanceTimeout),
	})
}

// failed sets that the group's coordinator fails us for the second time with
// nothing begun between. Once is nothing: coordinators move. What is no answer
// of a broker is the monitor's.
func (m *Member) failed(err error) {
	var code *kerr.Error
	if !errors.As(err, &code) || m.failures.Add(1) < 2 {
		return
	}
	m.conditions.Set(health.Condition{
		Type: health.Group, Subject: m.p.Group, Attrs: []any{"group", m.p.Group},
		Message: fmt.Sprintf("group %s cannot be used (%s): nothing of it is read. "+
			"Look after the brokers: is a partition of __consumer_offsets without a leader, or does a transaction on the group's offsets not end?", m.p.Group, code.Message),
	})
}

// unfetched sets that the commit of a partition cannot be fetched, so that it is
// not known where to read on.
func (m *Member) unfetched(p *Partition, err error) {
	m.conditions.Set(health.Condition{
		Type: health.Group, Subject: p.Topic, Lease: 3 * restFor, Attrs: []any{"topic", p.Topic, "partition", p.ID},
		Message: fmt.Sprintf("the offset that group %s has committed of %s cannot be fetched (%s): it is not read; that is tried again every %s. Look after the brokers",
			m.p.Group, p.name(), reasonOf(err), restFor),
	})
}

// begun clears the condition of the group.
func (m *Member) begun() {
	m.failures.Store(0)
	m.conditions.Clear(health.Group, m.p.Group)
}

// restFor is how long a partition rests after an error that would else come
// back at once, and watch how often it is tried again.
const restFor = 5 * time.Second

// recreated lets all partitions of a topic rest whose id the brokers do not
// know any longer, and has the watch look for the new one.
func (m *Member) recreated(topic string) {
	for _, p := range m.partitions() {
		if p.Topic == topic {
			m.rest(p)
		}
	}
	m.conditions.Set(health.Condition{
		Type: health.Recreated, Subject: topic, Lease: 3 * restFor, Attrs: []any{"topic", topic},
		Message: fmt.Sprintf("topic %s was deleted: it is read again from its beginning as soon as it is made again ('notifier topics create')", topic),
	})
	select {
	case m.again <- struct{}{}:
	default:
	}
}

// corrupt sets that what stands next in a partition cannot be decoded.
func (m *Member) corrupt(topic string, partition int32, err error) {
	p := m.partition(topic, partition)
	if p == nil {
		return
	}
	m.unreadable(p, health.Corrupt, func(next int64) string {
		if p.bad.begin != next {
			p.bad = badBatch{begin: next} // another one than before
		}
		what, further, to := fmt.Sprintf("the batch at offset %d of %s", next, p.name()), "; if the batch has more than one record, take a higher offset", next+1
		if p.bad.end > 0 {
			what, further, to = fmt.Sprintf("the batch with the offsets %d to %d of %s", next, p.bad.end-1, p.name()), "", p.bad.end
		}
		return fmt.Sprintf("%s cannot be decoded (%v): nothing behind it is read; it is tried again every %s, in case only the way to us damaged it. To give up what it holds, %s%s",
			what, err, restFor, m.skipTo(p, to), further)
	})
}

// bomb sets that a batch is larger than one may be once it is unpacked. kgo says
// so once and no longer fetches the partition.
func (m *Member) bomb(topic string, partition int32, err *kgo.ErrDecompressTooLarge) {
	p := m.partition(topic, partition)
	if p == nil {
		return
	}
	m.unreadable(p, health.TooLarge, func(int64) string {
		return fmt.Sprintf("the batch with the offsets %d to %d of %s takes more memory unpacked than kafka.window.bytes: nothing behind it is read. "+
			"Set a larger kafka.window.bytes; to give up what it holds, %s",
			err.Offset, err.NextOffset-1, p.name(), m.skipTo(p, err.NextOffset))
	})
}

// truncated says that the brokers lost records that were acknowledged.
func (m *Member) truncated(err *kgo.ErrDataLoss) {
	m.log.Error("brokers lost records that were read: unclean leader election; reading continues at the new end of the log",
		"topic", err.Topic, "partition", err.Partition, "read", err.ConsumedTo, "reset", err.ResetTo)
}

// skipTo is how a person gives up records. We never do: they would be lost
// without anybody's decision.
func (m *Member) skipTo(p *Partition, offset int64) string {
	then := "start it"
	if m.p.OwnTopics {
		then = "start it once with 'notifier run --start committed'"
	}
	return fmt.Sprintf("stop the daemon, run 'kafka-consumer-groups.sh --bootstrap-server %s --group %s --topic %s:%d --reset-offsets --to-offset %d --execute', and %s",
		m.brokers(), m.p.Group, p.Topic, p.ID, offset, then)
}

func (m *Member) brokers() string {
	seeds, _ := m.client.OptValue(kgo.SeedBrokers).([]string)
	return strings.Join(seeds, ",")
}

// lost counts records that were deleted before they were read, and says so.
func (m *Member) lost(p *Partition, n int64) {
	m.metrics.lostRecords.WithLabelValues(p.Topic).Add(float64(n))
	m.log.Error("records lost: retention deleted them before they were read", "topic", p.Topic, "partition", p.ID, "events", n,
		"problem", fmt.Sprintf("the topic keeps less than this outage lasted: raise retention.ms or retention.bytes of %s", p.Topic))
}

// name is the subject of a partition's conditions.
func (p *Partition) name() string { return fmt.Sprintf("%s/%d", p.Topic, p.ID) }

func (m *Member) partition(topic string, id int32) *Partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.parts[topicPartition{topic, id}]
}

// unreadable sets why nothing can be read of a partition. problem is given the
// offset of the next record.
func (m *Member) unreadable(p *Partition, t health.Type, problem func(next int64) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fenced {
		return
	}
	if p.unread != t && p.unread != "" {
		m.conditions.Clear(p.unread, p.name())
	}
	p.unread = t
	m.metrics.setBlocked(p.Topic, p.ID, p.blocked, p.unread)
	m.conditions.Set(health.Condition{
		Type: t, Subject: p.name(), Message: problem(max(p.next, 0)), Attrs: []any{"topic", p.Topic, "partition", p.ID},
	})
}

// read says that something was read of a partition.
func (p *Partition) read() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goOn(health.Corrupt, health.TooLarge, health.Transaction)
}

// goOn clears a condition of these types; p.mu is held.
func (p *Partition) goOn(types ...health.Type) {
	if p.unread == "" || p.fenced || !slices.Contains(types, p.unread) {
		return
	}
	p.member.conditions.Clear(p.unread, p.name())
	p.unread = ""
	p.member.metrics.setBlocked(p.Topic, p.ID, p.blocked, p.unread)
}

// blockedChanged sets or clears the condition after a change of p.blocked; p.mu
// is held.
func (p *Partition) blockedChanged() {
	p.member.metrics.setBlocked(p.Topic, p.ID, p.blocked, p.unread)
	if p.blocked == "" {
		p.member.conditions.Clear(health.Blocked, p.name())
		return
	}
	p.member.conditions.Set(health.Condition{
		Type: health.Blocked, Subject: p.name(), Message: p.blocked, Attrs: []any{"topic", p.Topic, "partition", p.ID},
	})
}

// rest has nothing fetched of a partition for restFor.
func (m *Member) rest(p *Partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fenced {
		p.restUntil = time.Now().Add(restFor)
		p.pause()
	}
}

// endRests has partitions fetched again that have rested. kgo fetches a commit
// again when its topic is subscribed to again.
func (m *Member) endRests() {
	now := time.Now()
	unstarted := make(map[string]bool)
	for _, p := range m.partitions() {
		p.mu.Lock()
		over := !p.restUntil.IsZero() && !now.Before(p.restUntil)
		if over {
			p.restUntil = time.Time{}
		}
		p.mu.Unlock()
		switch {
		case over && !p.running():
			unstarted[p.Topic] = true
		case over:
			m.roomMade(p)
		}
	}
	for topic := range unstarted {
		m.purge(topic)
	}
}
