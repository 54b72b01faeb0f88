package consume

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/instant"
	"github.com/algotrade/notifier/internal/offsets"
)

// staleAfter is how old records of an own topic without a commit may be and
// still be taken for those of a new partition. What is older has been read
// before, and reading it again would send it all again. A timestamp that can be
// no time (see package instant) says nothing of that.
const staleAfter = time.Hour

// commitOf is what the group's coordinator keeps for one partition.
type commitOf struct {
	offset   int64 // negative: there is none
	epoch    int32
	metadata string
}

// onOffsetsFetched reads what was committed: the position, and in its metadata
// which log it belongs to, what is finished above it, and the dedup
// state. Then the handlers start. A partition whose commit is not known is not
// started: see fetchError.
func (m *Member) onOffsetsFetched(ctx context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ids, err := topicIDs(ctx, m.admin, m.p.Topics)
	if err != nil {
		return err
	}
	l := m.listLogs(ctx)
	commits := commitsIn(resp, ids)
	var known []*Partition
	for _, p := range m.partitions() {
		c, ok := commits[topicPartition{p.Topic, p.ID}]
		if !ok { // not known; or not asked for, since it was kept through a rebalance
			continue
		}
		log := l.of(p)
		if m.p.OwnTopics && c.offset < 0 && (log.fresh < 0 || log.dated < 0 || log.end < 0) && l.err != nil {
			return fmt.Errorf("look up where %s begins: %w", p.name(), l.err)
		}
		p.restore(c, ids[p.Topic], log)
		known = append(known, p)
	}
	m.begun()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range known {
		if m.parts[topicPartition{p.Topic, p.ID}] == p {
			p.start()
		}
	}
	return nil
}

// commitsIn takes the commits out of a response, of old brokers and of new ones.
// An error is no commit and not the lack of one: its partition is left out.
func commitsIn(resp *kmsg.OffsetFetchResponse, ids map[string]string) map[topicPartition]commitOf {
	names := make(map[string]string, len(ids))
	for topic, id := range ids {
		names[id] = topic
	}
	commits := make(map[topicPartition]commitOf)
	add := func(topic string, id int32, offset int64, epoch int32, metadata *string, code int16) {
		if code != 0 {
			return
		}
		c := commitOf{offset: offset, epoch: epoch}
		if metadata != nil {
			c.metadata = *metadata
		}
		commits[topicPartition{topic, id}] = c
	}
	if len(resp.Groups) > 0 {
		for _, t := range resp.Groups[0].Topics {
			topic := t.Topic
			if topic == "" {
				topic = names[envelope.TopicID(t.TopicID)]
			}
			for _, o := range t.Partitions {
				add(topic, o.Partition, o.Offset, o.LeaderEpoch, o.Metadata, o.ErrorCode)
			}
		}
	}
	for _, t := range resp.Topics {
		for _, o := range t.Partitions {
			add(t.Topic, o.Partition, o.Offset, o.LeaderEpoch, o.Metadata, o.ErrorCode)
		}
	}
	return commits
}

// logs says where the logs of the member's topics begin and end.
type logs struct {
	starts, dated, fresh, ends kadm.ListedOffsets
	err                        error // why it does not say so of some
}

// extent is where one log begins and ends, where in it the first record is whose
// timestamp is not before all time, and the first that is younger than
// staleAfter. -1: not known.
type extent struct{ start, dated, fresh, end int64 }

// listTimeout bounds how long one request about the logs may wait. A partition
// whose brokers are down is asked about until then: the others are known at
// once, and must not wait for it forever.
const listTimeout = 2 * time.Second

// listLogs asks about all logs at the same time. What is not answered, for want
// of a leader, is not known. Which records are fresh is asked afterwards: where
// none is, the answer is the end of the log, and what came since the ends were
// listed must not be taken for what was there before.
func (m *Member) listLogs(ctx context.Context) (l logs) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	var wg sync.WaitGroup
	var errs [4]error
	wg.Go(func() { l.starts, errs[0] = m.admin.ListStartOffsets(ctx, m.p.Topics...) })
	wg.Go(func() { l.ends, errs[1] = m.admin.ListEndOffsets(ctx, m.p.Topics...) })
	wg.Wait()
	if m.p.OwnTopics {
		wg.Go(func() {
			l.fresh, errs[2] = m.admin.ListOffsetsAfterMilli(ctx, time.Now().Add(-staleAfter).UnixMilli(), m.p.Topics...)
		})
		wg.Go(func() {
			l.dated, errs[3] = m.admin.ListOffsetsAfterMilli(ctx, instant.Earliest.UnixMilli(), m.p.Topics...)
		})
		wg.Wait()
	}
	l.err = errors.Join(errs[:]...)
	return l
}

func (l logs) of(p *Partition) extent {
	at := func(listed kadm.ListedOffsets) int64 {
		if o, ok := listed.Lookup(p.Topic, p.ID); ok && o.Err == nil {
			return o.Offset
		}
		return -1
	}
	return extent{start: at(l.starts), dated: at(l.dated), fresh: at(l.fresh), end: at(l.ends)}
}

// restore takes over what was committed for a partition that is new to us.
func (p *Partition) restore(c commitOf, id string, log extent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started {
		return // kept through a rebalance
	}
	m := p.member
	p.topicID, p.endedAt = id, log.end
	if log.end < 0 {
		p.endedAt = math.MaxInt64 // of any record a former owner may have known
	}
	say := m.log.With("topic", p.Topic, "partition", p.ID)
	if c.offset < 0 {
		switch {
		case m.p.OwnTopics && log.start >= 0 && log.end > log.start && log.fresh > max(log.start, log.dated):
			p.freeze(offsetGone)
			return
		case log.end > log.start:
			say.Warn("no offset is committed: a new partition, or its offset was deleted; reading from its beginning", "records", log.end-log.start)
		}
		p.begin(log.start)
		return
	}
	dedup, above := &offsets.Dedup{}, offsets.NoGaps
	found, err := offsets.DecodeMetadata(c.metadata, c.offset)
	switch {
	case c.metadata == "" && m.p.OwnTopics:
		p.freeze(offsetReset)
	case err != nil || found.Cluster != m.p.Cluster:
		p.span = c.offset
		say.Warn("the committed offset was set by hand or by another program: continuing there", "offset", c.offset, "records", log.end-c.offset)
	case found.TopicID != "" && id != "" && found.TopicID != id:
		p.sayRecreated(c.offset)
		p.fromStart = true
		p.begin(log.start)
		return
	default:
		dedup, above, p.span, p.again = found.Dedup, found.Gaps, found.Begin, found.Again
		if m.p.OwnTopics {
			p.inherit(found)
		}
	}
	start := offsets.Position{Epoch: c.epoch, Offset: c.offset}
	p.committed, p.dedup, p.next, p.known = start, dedup, c.offset, true
	p.beganAt, p.handedTo, p.above = c.offset, c.offset, above
	p.tracker = offsets.NewTracker(start, dedup)
	if slices.Contains(m.p.Marked, p.Topic) {
		former := offsets.Unmarked
		if err == nil && found.Cluster == m.p.Cluster {
			former = found.Crash
		}
		p.suspects(former, c.offset, p.endedAt)
	}
}

// begin starts at the beginning of a log that has no commit. The position is
// committed soon, so that a missing commit means something; p.mu is held.
func (p *Partition) begin(start int64) {
	if start < 0 {
		return
	}
	p.next, p.beganAt, p.handedTo, p.span, p.dirty = start, start, start, start, true
	p.tracker = offsets.NewTracker(offsets.Position{Epoch: -1, Offset: start}, p.dedup)
	if slices.Contains(p.member.p.Marked, p.Topic) {
		p.suspects(offsets.Unmarked, start, p.endedAt)
	}
}

// freeze holds the partition for a person's decision; p.mu is held.
func (p *Partition) freeze(reason string) { p.frozen, p.blocked = true, reason }

func (p *Partition) sayRecreated(offset int64) {
	log := p.member.log.With("topic", p.Topic, "partition", p.ID, "offset", offset)
	if p.member.p.OwnTopics {
		log.Error("topic was recreated: alerts that waited in the old one are lost; 'notifier run --start TIME' raises them again")
		return
	}
	log.Warn("topic was recreated: its committed offset belongs to the old one, reading from the beginning")
}

// adjustOffsets replaces the offsets that belong to a log that is gone.
func (m *Member) adjustOffsets(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, ps := range offsets {
		for id := range ps {
			p := m.parts[topicPartition{topic, id}]
			if p == nil {
				continue
			}
			p.mu.Lock()
			if p.fromStart {
				ps[id] = kgo.NewOffset().AtStart()
			}
			if p.frozen {
				p.paused = true
				go m.client.PauseFetchPartitions(map[string][]int32{topic: {id}})
				p.blockedChanged()
			}
			p.mu.Unlock()
		}
	}
	return offsets, nil
}
