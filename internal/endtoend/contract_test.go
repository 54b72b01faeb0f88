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

// closing is the ledger of a trial that has come to rest. It is filled from
// what the providers saw and what the logs hold in the end; in which order the
// brokers did what does not matter to it.
type closing struct {
	trial   *trial
	book    *ledger.Ledger
	owed    map[due][]*ledger.Delivery // by what is sent: more than one where it was moved to a channel that it was raised for
	began   map[try]time.Duration
	unsure  map[due]bool // an answer before left open whether it was taken
	letters []ledger.Letter
}

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
	c := &closing{trial: t, book: ledger.New(), owed: make(map[due][]*ledger.Delivery), began: make(map[try]time.Duration), unsure: make(map[due]bool)}
	events := make(map[ledger.Place]*original)
	for _, e := range t.events {
		events[ledger.Place{Topic: e.record.Topic, Partition: e.record.Partition, Offset: e.record.Offset}] = e
		c.owe(e)
	}
	for at, log := range logs {
		for _, r := range log {
			if e, _, err := envelope.Parse(r); err == nil && slices.Contains(t.outboxTopics(), at.Topic) {
				s := e.Source
				c.queued(events[ledger.Place{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset}], e, at)
			}
		}
	}
	for _, s := range t.history.list() {
		c.step(s)
	}
	c.bury(logs, events)
	c.committed()
	most := make(map[string]int)
	for channel, n := range t.partitions {
		most[channel] = uncommitted*int(n) + concurrency
	}
	return c.book.Judge(c.letters, ledger.Terms{
		PerDisturbance: most, Marked: true, Superfluous: true, Reasons: []string{string(outcome.Exhausted)},
	}).Failures
}

// owe enters an event and what it raises.
func (c *closing) owe(e *original) {
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
		d := c.book.Owe(ledger.Lane{Channel: channel, Key: key}, p.mood.refuses(e.n), c.trial.history.begun)
		c.owed[due{channel, e.n}] = append(c.owed[due{channel, e.n}], d)
	}
}

// queued enters what a record in an outbox says beyond what its event does: it
// was moved there, or it went with a topic that was deleted.
func (c *closing) queued(e *original, sent *envelope.Envelope, at oracle.Place) {
	if e == nil {
		c.book.Wrong("a record in %s is of no event", at)
		return
	}
	what := due{sent.Channel, e.n}
	from := c.trial.placeOf(sent.From.Input.Topic, 0, 0).Topic
	if i := slices.Index(c.trial.outboxTopics(), from); i >= 0 {
		c.moved(what, due{c.trial.channels()[i], e.n})
	}
	if at.Instance < c.trial.present[at.Topic] {
		for _, d := range c.owed[what] {
			d.Gone = true
		}
	}
}

// moved enters that a delivery was moved to another channel, once. It has no
// lane there: it stands where it was moved to, behind later ones.
func (c *closing) moved(to, from due) {
	for _, d := range c.owed[from] {
		if d.MovedTo != nil {
			return
		}
	}
	d := c.book.Owe(ledger.Lane{Channel: to.channel}, c.trial.providers[to.channel].mood.refuses(to.event), c.trial.history.begun)
	c.owed[to] = append(c.owed[to], d)
	for _, old := range c.owed[from] {
		old.MovedTo = d
	}
}

// step enters what the providers saw, and what may make deliveries come again.
func (c *closing) step(s step) {
	what := due{s.channel, s.event}
	switch s.kind {
	case begin:
		c.began[try{what, s.tries}] = s.at
		if d := c.next(what); d != nil {
			c.book.Attempt(d, d.String())
		} else {
			c.book.Wrong("an alert that nothing asked for: %s", s)
		}
	case taken, unsure:
		if d := c.next(what); d != nil {
			c.book.Took(d, c.trial.history.begun.Add(c.began[try{what, s.tries}]), c.unsure[what])
			c.unsure[what] = c.unsure[what] || s.kind == unsure
		}
	case assigned, ended, crashed, heldUp, goesOn, deleted, rewound, truncated:
		c.book.Disturb(ledger.Disturbance{At: c.trial.history.begun.Add(s.at), What: s.String()})
	}
}

// next returns which of the deliveries of one alert to one channel an attempt
// is of: the first that was not taken.
func (c *closing) next(what due) *ledger.Delivery {
	all := c.owed[what]
	for _, d := range all {
		if d.Took().IsZero() {
			return d
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// bury enters the dead letters: the last record of each, in the topics that
// were deleted too.
func (c *closing) bury(logs map[oracle.Place][]*kgo.Record, events map[ledger.Place]*original) {
	last := make(map[string]ledger.Letter)
	of := make(map[string]due)
	for _, at := range slices.SortedFunc(maps.Keys(logs), func(a, b oracle.Place) int { return cmp.Compare(a.Instance, b.Instance) }) {
		if !slices.Contains(c.trial.deadTopics(), at.Topic) {
			continue
		}
		for _, r := range logs[at] {
			id := string(r.Key)
			if r.Value == nil {
				l := last[id]
				l.Closed, l.State = true, string(dlq.Resolved)
				last[id] = l
				continue
			}
			e := dlq.Parse(r)
			l := ledger.Letter{ID: id, Index: -1, Reason: string(e.Reason), State: string(e.State), Malformed: e.State == dlq.Malformed}
			if e.Envelope != nil {
				s := e.Envelope.Source
				l.Source = ledger.Place{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset}
				if original := events[l.Source]; original != nil && e.Envelope.Channel != "" {
					of[id] = due{e.Envelope.Channel, original.n}
				}
			}
			last[id] = l
		}
	}
	for id, l := range last {
		if what, delivery := of[id]; delivery {
			for _, d := range c.owed[what] { // those that share an id share its dead letter
				l.ID, l.Lane, l.Index = id, d.Lane, d.Index
				c.letters = append(c.letters, l)
			}
			continue
		}
		c.letters = append(c.letters, l)
	}
}

// committed enters where the groups stand.
func (c *closing) committed() {
	t := c.trial
	for g, names := range map[string][]string{group: append(t.sources(), topics.Replay(group)), topics.OutboxGroup(group): t.outboxTopics()} {
		info := t.fake.GroupInfo(g)
		for _, topic := range names {
			for _, p := range t.fake.PartitionInfos(topic) {
				if p.HighWatermark > 0 && info != nil {
					c.book.Committed(g, ledger.Place{Topic: topic, Partition: p.Partition, Offset: p.HighWatermark}, info.Commits[topic][p.Partition].Offset)
				}
			}
		}
	}
}
