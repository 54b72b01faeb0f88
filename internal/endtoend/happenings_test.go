//go:build synctests

package endtoend

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/simulation/seen"
	"github.com/algotrade/notifier/internal/topics"
)

// judge has the oracle judge what happened, and returns what it was told. What
// the oracle cannot know is checked here: that every message was its event's, that
// nothing was alerted that no rule asked for, that sources are as they were
// written, and that no process ended by itself.
func (t *trial) judge() (list []oracle.Happening, blamed []string) {
	t.t.Helper()
	t.history.note(fault, "", "it is judged")
	x := newTelling(t)
	for _, s := range assignedFirst(t.history.list()) {
		x.step(s)
	}
	for key := range x.owners {
		x.left(step{at: time.Since(t.history.begun)}, key)
	}
	blamed = x.wrong
	for _, f := range t.contract(x.logs) {
		blamed = append(blamed, f.String())
	}
	for _, v := range oracle.Check(x.list, oracle.Limits{Uncommitted: uncommitted, Overtaken: t.overtaken.covers}) {
		blamed = append(blamed, v.String())
	}
	return x.list, blamed
}

// fair fails the test for everything that is wrong with the trial.
func (t *trial) fair() {
	t.t.Helper()
	_, blamed := t.judge()
	for _, b := range blamed {
		t.t.Error(b)
	}
}

// telling translates a history, and what is in the logs in the end, into
// happenings.
type telling struct {
	trial *trial
	list  []oracle.Happening
	wrong []string

	logs      map[oracle.Place][]*kgo.Record    // of partitions
	told      map[oracle.Place]int64            // offsets below which it is told
	due       map[oracle.Place]oracle.Happening // what was Matched, by event
	expected  map[string]bool                   // deliveries and dead letters that there may be
	alerts    map[string]bool                   // that there may be
	matched   map[owned]int64                   // below which it is told
	ids       map[oracle.Place]string           // of records in outboxes
	tried     map[attempted]string              // the id of the last attempt
	owners    map[tenancy]owned
	asked     map[tenancy][]step
	committed map[tenancy]int64
	present   map[string]int   // instances of topics
	counted   map[string]int64 // dead letters of the instances of a topic that are gone
	versions  map[oracle.Place]int64
}

type owned struct {
	by int
	at oracle.Place
}

// tenancy is a partition as a group reads it, through all instances.
type tenancy struct {
	group, topic string
	partition    int32
}

type attempted struct {
	by       int
	delivery string
}

func newTelling(t *trial) *telling {
	x := &telling{
		trial: t, logs: make(map[oracle.Place][]*kgo.Record), told: make(map[oracle.Place]int64), due: make(map[oracle.Place]oracle.Happening),
		expected: make(map[string]bool), alerts: make(map[string]bool), matched: make(map[owned]int64), ids: make(map[oracle.Place]string), tried: make(map[attempted]string),
		owners: make(map[tenancy]owned), asked: make(map[tenancy][]step), committed: make(map[tenancy]int64), present: make(map[string]int),
		counted: make(map[string]int64), versions: make(map[oracle.Place]int64),
	}
	for at, records := range t.gone {
		x.logs[at] = records
	}
	for _, topic := range append(t.sources(), t.ours()...) {
		for _, p := range t.fake.PartitionInfos(topic) {
			x.logs[oracle.Place{Topic: topic, Partition: p.Partition, Instance: t.present[topic]}] = t.read(topic, p)
		}
	}
	for _, e := range t.events {
		x.expect(e)
	}
	return x
}

// assignedFirst returns the steps with each assignment before the first commit
// that its process asks for at the same instant. The assignment is seen when the
// handler begins, in a goroutine of its own; a commit may be asked for before that.
// What was asked for before the process last asked for an assignment is the last
// commit of the one before.
func assignedFirst(steps []step) []step {
	var list []step
	for _, s := range steps {
		if s.kind != assigned {
			list = append(list, s)
			continue
		}
		i := len(list)
		for j := len(list) - 1; j >= 0 && list[j].at == s.at; j-- {
			c := list[j]
			if c.by != s.by || c.what.Group != s.what.Group {
				continue
			}
			if c.kind == synced {
				break
			}
			if c.kind == committed && samePartition(c.what.Place, s.what.Place) {
				i = j
			}
		}
		if i < len(list) { // what was seen at the brokers stays where it was seen
			list = append(list, step{at: s.at, event: -1, ends: s.ends, commits: s.commits})
			s.ends, s.commits = nil, nil
		}
		list = slices.Insert(list, i, s)
	}
	return list
}

func samePartition(a, b oracle.Place) bool {
	return a.Topic == b.Topic && a.Partition == b.Partition && a.Instance == b.Instance
}

func (x *telling) blame(format string, args ...any) {
	x.wrong = append(x.wrong, fmt.Sprintf(format, args...))
}

// expect works out, apart from the daemon, what an event raises.
func (x *telling) expect(e *original) {
	t, r := x.trial, e.record
	src := alert.Source{Cluster: t.cluster, Topic: t.idOf(r.Topic), Partition: r.Partition, Offset: r.Offset}
	h := oracle.Happening{Kind: oracle.Matched, Place: oracle.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}}
	if e.poison {
		h.Entry = alert.NewEntry(group, src)
		x.expected[h.Entry] = true
	}
	name := "both"
	if len(e.to) == 1 {
		name = "calm"
	}
	for _, c := range e.to {
		raised := alert.NewID(group, src, name)
		x.alerts[raised] = true
		id := alert.NewDelivery(raised, c)
		h.IDs = append(h.IDs, id)
		x.expected[id] = true
	}
	x.due[h.Place] = h
}

func (x *telling) add(s step, h oracle.Happening) {
	h.At = s.at
	x.list = append(x.list, h)
}

// step tells what was new at the brokers, then the step itself.
func (x *telling) step(s step) {
	slices.SortFunc(s.ends, func(a, b oracle.Place) int {
		return cmp.Or(cmp.Compare(x.rank(a), x.rank(b)), strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, end := range s.ends {
		at := end
		at.Offset = 0
		log := x.logs[at]
		for ; x.told[at] < end.Offset; x.told[at]++ {
			if i := x.told[at]; i < int64(len(log)) {
				x.record(s, at, log[i])
			} else {
				x.blame("%s@%d is not there to be read", at, i)
			}
		}
	}
	for _, c := range s.commits {
		x.commits(s, c)
	}
	switch s.kind {
	case begin, taken, unsure, failed:
		h := s.what
		h.ID = x.ids[h.Place]
		delivery, _, _ := strings.Cut(h.ID, "@")
		x.tried[attempted{h.By, delivery}] = h.ID
		x.add(s, h)
	case committed:
		x.claimed(s)
	case assigned:
		key := tenancy{s.what.Group, s.what.Place.Topic, s.what.Place.Partition}
		x.left(s, key)
		x.owners[key] = owned{s.what.By, s.what.Place}
		x.add(s, s.what)
	case truncated:
		x.cut(s)
	case deleted:
		x.deleted(s)
	case rewound: // the group is empty, and later commits are the operator's
		maps.DeleteFunc(x.asked, func(key tenancy, _ []step) bool { return key.group == group })
	case garbled, complains:
		x.blame("%s", s)
	}
}

// rank is what comes first of what is seen to have grown at the same time.
func (x *telling) rank(p oracle.Place) int {
	switch {
	case slices.Contains(x.trial.sources(), p.Topic):
		return 0
	case slices.Contains(x.trial.deadTopics(), p.Topic):
		return 1
	case p.Topic == topics.Replay(group):
		return 2
	}
	return 3
}

// cut tells that a log went back: its owner works through what is below its old
// position once more, and may commit it in steps.
func (x *telling) cut(s step) {
	at := s.what.Place
	x.add(s, s.what)
	for o, below := range x.matched {
		if samePartition(o.at, at) {
			x.matched[o] = min(below, at.Offset)
		}
	}
	key := tenancy{group, at.Topic, at.Partition}
	x.committed[key] = min(x.committed[key], at.Offset)
}

// left tells of an assignment that is over: at the latest when the group gives
// the partition to another member. What a process had asked for when it died may take
// effect until then.
func (x *telling) left(s step, key tenancy) {
	if o, known := x.owners[key]; known {
		x.add(s, oracle.Happening{Kind: oracle.Left, By: o.by, Group: key.group, Place: o.at})
		delete(x.owners, key)
	}
}

func (x *telling) deleted(s step) {
	topic := s.text
	for at, log := range x.logs {
		if at.Topic == topic && at.Instance == x.present[topic] {
			x.counted[topic] += int64(len(log))
		}
	}
	x.present[topic]++
	x.add(s, oracle.Happening{Kind: oracle.Recreated, Place: oracle.Place{Topic: topic, Instance: x.present[topic]}})
}

// record tells of a record that was appended.
func (x *telling) record(s step, at oracle.Place, r *kgo.Record) {
	at.Offset = r.Offset
	switch x.rank(at) {
	case 0:
		if _, ours := x.due[at]; !ours {
			x.blame("%s was written by an unknown producer", at)
		}
		x.add(s, oracle.Happening{Kind: oracle.Produced, Place: at, Digest: oracle.Digest(r.Key, r.Value, r.Headers)})
	case 1:
		x.deadLetter(s, at, r)
	case 2:
		if _, err := control.Parse(r); err == nil {
			return // what comes of it is seen
		}
		q, err := replay.ParseRequest(r)
		if err != nil {
			x.blame("%s: %v", at, err)
			return
		}
		before := x.counted[topics.DeadLetter(group, q.Source)]
		x.versions[at] = before
		x.add(s, oracle.Happening{Kind: oracle.Requested, Place: at, Entry: q.Entry, Version: q.Version + before})
	case 3:
		x.queued(s, at, r)
	}
}

func (x *telling) queued(s step, at oracle.Place, r *kgo.Record) {
	h, e, err := seen.Queued(r)
	if err != nil {
		x.blame("%s: %v", at, err)
		return
	}
	h.By, h.Place = x.trial.writers[r.ProducerID], at
	h.From = x.trial.placeOf(e.From.Input.Topic, e.From.Input.Partition, e.From.From.Offset)
	if x.rank(h.From) == 3 && x.alerts[e.Alert.ID] { // it was moved
		x.expected[e.Delivery] = true
	}
	if !x.expected[e.Delivery] {
		x.blame("%s at %s was raised by no rule", e.Delivery, at)
	}
	if h.Entry != "" {
		x.versions[at] = x.versions[h.From]
		h.Version += x.versions[at]
		h.ID = fmt.Sprintf("%s@%d", e.Delivery, h.Version)
	}
	x.ids[at] = h.ID
	x.add(s, h)
}

func (x *telling) deadLetter(s step, at oracle.Place, r *kgo.Record) {
	h, e, err := seen.DeadLetter(r)
	if err != nil {
		x.blame("%s: %v", at, err)
		return
	}
	h.By, h.Group, h.Place = x.trial.writers[r.ProducerID], topics.OutboxGroup(group), at
	h.Place.Offset += x.counted[at.Topic]
	if e != nil && !x.expected[e.ID] {
		x.blame("dead letter %s at %s is about no alert that was raised", e.ID, at)
	}
	if _, version, replay := strings.Cut(x.tried[attempted{h.By, h.ID}], "@"); e != nil && replay {
		_, _ = fmt.Sscan(version, &h.Version)
		h.Version++
	}
	x.add(s, h)
}

// fullMetadata is the length from which on a commit may have left out entries of
// the dedup state: its limit is 4,000 characters, an entry takes about 43.
const fullMetadata = 3900

func (x *telling) claimed(s step) {
	h := s.what
	key := tenancy{h.Group, h.Place.Topic, h.Place.Partition}
	if x.rank(h.Place) == 0 {
		o := owned{h.By, h.Place}
		o.at.Offset = 0
		for at := max(x.matched[o], x.committed[key]); at < h.Place.Offset; at++ {
			p := o.at
			p.Offset = at
			if w, there := x.due[p]; there {
				w.By = h.By
				x.add(s, w)
			}
			x.matched[o] = at + 1
		}
	}
	x.asked[key] = append(x.asked[key], s)
	x.add(s, h)
}

// commits adds a commit that took effect.
func (x *telling) commits(s step, c commit) {
	key := tenancy{c.group, c.topic, c.partition}
	x.committed[key] = c.offset
	for i := len(x.asked[key]) - 1; i >= 0; i-- {
		a := x.asked[key][i]
		if a.what.Place.Offset != c.offset || a.metadata != c.metadata {
			continue
		}
		h := a.what
		h.Kind = oracle.Committed
		h.Bare = c.group == topics.OutboxGroup(group) && (len(c.metadata) > fullMetadata || x.stripped(key, i))
		x.add(s, h)
		return
	}
	x.add(s, oracle.Happening{Kind: oracle.Reset, Group: c.group, Place: oracle.Place{Topic: c.topic, Partition: c.partition, Offset: c.offset, Instance: x.present[c.topic]}})
}

// stripped reports whether a commit was asked for in full before, and then with
// its binding alone.
func (x *telling) stripped(key tenancy, i int) bool {
	a := x.asked[key][i]
	return len(strings.Fields(a.metadata)) == 3 && slices.ContainsFunc(x.asked[key][:i], func(b step) bool {
		return b.by == a.by && b.what.Place == a.what.Place && len(b.metadata) > len(a.metadata)
	})
}
