//go:build synctests

package endtoend

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/ledger"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// closing is the ledger of a trial that has come to rest. It is filled from what the
// providers saw and what the logs contain in the end; the order in which brokers
// did things does not matter.
type closing struct {
	trial    *trial
	book     *ledger.Ledger
	events   map[ledger.Place]*original
	logs     map[oracle.Place][]*kgo.Record
	expected map[due]*ledger.Delivery
	queued   map[oracle.Place]queued // records of outboxes
	began    map[try]time.Duration
	unsure   map[due]bool // an answer before left open whether it was taken
	dead     []ledger.DeadLetter

	disturbed []ledger.Disturbance
	owners    map[oracle.Place]ownership // of outbox partitions
}

// queued is what a record of an outbox is of: a delivery, as it was raised for
// the channel or as it was moved to it.
type queued struct {
	*ledger.Delivery
	moves int // by how many moves it came
}

// ownership is which life of a process has a partition, and the disturbance
// that its assignment was.
type ownership struct{ by, disturbance int }

// due is one event's alert for one channel.
type due struct {
	channel string
	event   int
}

// try is one attempt, counted over all processes.
type try struct {
	due
	number int
}

// contract returns what is wrong with how the trial ended.
func (t *trial) contract(logs map[oracle.Place][]*kgo.Record) []ledger.Failure {
	c := &closing{
		trial: t, book: ledger.New(), events: make(map[ledger.Place]*original), logs: logs, expected: make(map[due]*ledger.Delivery),
		queued: make(map[oracle.Place]queued), began: make(map[try]time.Duration), unsure: make(map[due]bool),
		owners: make(map[oracle.Place]ownership),
	}
	for _, e := range t.events {
		c.events[ledger.Place{Topic: e.record.Topic, Partition: e.record.Partition, Offset: e.record.Offset}] = e
		c.expect(e)
	}
	for at, log := range logs {
		for _, r := range log {
			at.Offset = r.Offset
			d, event := c.at(at)
			if d.Delivery == nil {
				continue
			}
			d.Gone = d.Gone || at.Instance < t.present[at.Topic]
			source := oracle.Place{Topic: event.record.Topic, Partition: event.record.Partition, Offset: event.record.Offset}
			d.Overtaken = d.Overtaken || t.overtaken.covers(oracle.Happening{Place: at, From: source})
		}
	}
	for _, s := range t.history.list() {
		c.step(s)
	}
	for _, d := range c.disturbed {
		c.book.Disturb(d)
	}
	c.deadLettered()
	c.committed()
	most := make(map[string]int)
	for channel, n := range t.partitions {
		most[channel] = uncommitted*int(n) + concurrency
	}
	return c.book.Judge(c.dead, ledger.Terms{
		PerDisturbance: most, Marked: true, Superfluous: true, Reasons: []string{string(outcome.Exhausted)},
	}).Failures
}

// expect enters an event and what it raises.
func (c *closing) expect(e *original) {
	c.book.Event()
	key := ""
	if e.record.Key != nil {
		key = fmt.Sprintf("%s/%q", e.record.Topic, e.record.Key)
	}
	if e.poison {
		c.book.Poisoned(e.record.Topic).Place = ledger.Place{Topic: e.record.Topic, Partition: e.record.Partition, Offset: e.record.Offset}
	}
	for _, channel := range e.to {
		p := c.trial.providers[channel]
		c.expected[due{channel, e.n}] = c.book.Expect(ledger.Lane{Channel: channel, Key: key}, p.mood.refuses(e.n), c.trial.history.begun)
	}
}

// at returns what the record at a place in an outbox is of, and of which event.
func (c *closing) at(at oracle.Place) (queued, *original) {
	i := slices.Index(c.trial.outboxTopics(), at.Topic)
	log := at
	log.Offset = 0
	n, found := slices.BinarySearchFunc(c.logs[log], at.Offset, func(r *kgo.Record, o int64) int { return cmp.Compare(r.Offset, o) })
	if i < 0 || !found {
		return queued{}, nil
	}
	e, _, err := envelope.Parse(c.logs[log][n])
	if err != nil {
		c.book.Wrong("%s: %v", at, err)
		return queued{}, nil
	}
	s := e.Source
	event := c.events[ledger.Place{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset}]
	if event == nil {
		c.book.Wrong("%s is of no event", at)
		return queued{}, nil
	}
	if d, known := c.queued[at]; known {
		return d, event
	}
	what := due{c.trial.channels()[i], event.n}
	w := e.From
	source, _ := c.at(c.trial.placeOf(w.Input.Topic, w.Input.Partition, w.From.Offset))
	d := queued{c.expected[what], 0}
	if source.Delivery != nil {
		d.moves = source.moves + 1
	}
	if d.Delivery == nil && d.moves > 0 { // it has no lane there: it is behind later ones
		d.Delivery = c.book.Expect(ledger.Lane{Channel: what.channel}, c.trial.providers[what.channel].mood.refuses(event.n), c.trial.history.begun)
		c.expected[what] = d.Delivery
	}
	if d.moves > 0 && d.Delivery != source.Delivery {
		source.MovedTo = d.Delivery
	}
	c.queued[at] = d
	return d, event
}

// step enters what the providers saw, and disturbances.
func (c *closing) step(s step) {
	what := due{s.channel, s.event}
	switch s.kind {
	case begin:
		c.began[try{what, s.tries}] = s.at
		c.late(s)
		if d, event := c.at(s.what.Place); event != nil && event.n == s.event && d.Delivery != nil {
			c.book.Attempt(d.Delivery, d.String())
		} else {
			c.book.Wrong("unexpected alert: %s", s)
		}
	case taken, unsure:
		d, _ := c.at(s.what.Place)
		if d.Delivery == nil {
			return
		}
		began := c.trial.history.begun.Add(c.began[try{what, s.tries}])
		c.book.TookMoved(d.Delivery, d.moves, began, c.unsure[what])
		c.unsure[what] = c.unsure[what] || s.kind == unsure
	case assigned:
		at := s.what.Place
		at.Offset = 0
		c.owners[at] = ownership{s.by, len(c.disturbed)}
		c.disturb(s)
	case ended, crashed, stalled, resumed, deleted, rewound, truncated:
		c.disturb(s)
	}
}

func (c *closing) disturb(s step) {
	c.disturbed = append(c.disturbed, ledger.Disturbance{At: c.trial.history.begun.Add(s.at), What: s.String()})
}

// late extends the disturbance of an assignment to attempts of the former owner,
// which does not know of it yet.
func (c *closing) late(s step) {
	at := s.what.Place
	at.Offset = 0
	if o, known := c.owners[at]; known && o.by != s.by {
		d := &c.disturbed[o.disturbance]
		d.Slack = c.trial.history.begun.Add(s.at).Sub(d.At) + 1
	}
}

// deadLettered enters the dead letters: the last record of each, in the topics that
// were deleted too.
func (c *closing) deadLettered() {
	last := make(map[string]ledger.DeadLetter)
	of := make(map[string]due)
	for _, at := range slices.SortedFunc(maps.Keys(c.logs), func(a, b oracle.Place) int { return cmp.Compare(a.Instance, b.Instance) }) {
		if !slices.Contains(c.trial.deadTopics(), at.Topic) {
			continue
		}
		for _, r := range c.logs[at] {
			id := string(r.Key)
			if r.Value == nil {
				l := last[id]
				l.Closed, l.State = true, string(dlq.Resolved)
				last[id] = l
				continue
			}
			e := dlq.Parse(r)
			l := ledger.DeadLetter{ID: id, Index: -1, Reason: string(e.Reason), State: string(e.State), Malformed: e.State == dlq.Malformed}
			if e.Envelope != nil {
				s := e.Envelope.Source
				l.Source = ledger.Place{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset}
				if original := c.events[l.Source]; original != nil && e.Envelope.Channel != "" {
					of[id] = due{e.Envelope.Channel, original.n}
				}
			}
			last[id] = l
		}
	}
	for id, l := range last {
		if d := c.expected[of[id]]; d != nil {
			l.ID, l.Lane, l.Index = id, d.Lane, d.Index
		}
		c.dead = append(c.dead, l)
	}
}

// committed enters the committed offsets. They were at the ends of the logs before
// the processes stopped.
func (c *closing) committed() {
	t := c.trial
	late := slices.ContainsFunc(t.history.list(), func(s step) bool { return s.kind == fault && s.text == "commit-slow" })
	for g, names := range map[string][]string{group: append(t.sources(), topics.Replay(group)), topics.OutboxGroup(group): t.outboxTopics()} {
		info := t.fake.GroupInfo(g)
		for _, topic := range names {
			for _, p := range t.fake.PartitionInfos(topic) {
				at := info.Commits[topic][p.Partition].Offset
				if p.HighWatermark == 0 || late && carriedOutLate(at, p.HighWatermark) {
					continue
				}
				c.book.Committed(g, ledger.Place{Topic: topic, Partition: p.Partition, Offset: p.HighWatermark}, at)
			}
		}
	}
}

// carriedOutLate: brokers carried out a slow commit after the last one, which set
// the group back.
func carriedOutLate(committed, end int64) bool { return committed < end }
