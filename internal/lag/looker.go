package lag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health/brokers"
	"github.com/algotrade/notifier/internal/offsets"
)

// Want is what a look is about.
type Want struct {
	// Topics are those that our groups are known to read: they are looked at
	// also where nothing was ever committed for them.
	Topics []Topic
	// Groups are further groups, by their names; Every: all there are, but at
	// most AtMost of them (0: no bound).
	Groups []string
	Every  bool
	AtMost int
	// Kept: it is found out of every topic until when its records are kept, where
	// that may be asked; else of those alone that were asked about before.
	Kept bool
}

const (
	// MaxGroups is how many groups of others a daemon looks at: each is some
	// time series for every partition that it reads.
	MaxGroups = 100
	// lookFor bounds one look, readFor the reading of others' oldest records.
	lookFor = 30 * time.Second
	readFor = 10 * time.Second
	// readers is how many records are read at the same time.
	readers = 8
)

// Looker asks the brokers what waits for groups. It joins no group and commits
// nothing; between two looks it remembers the records it has read. It is for
// one goroutine.
type Looker struct {
	adm     *kadm.Client
	view    *brokers.View
	log     Log
	cluster string
	parts   map[place]*part
	rules   retentions
	looks   int
}

// NewLooker returns a Looker over any client of the cluster with this id.
func NewLooker(client *kgo.Client, log Log, cluster string) *Looker {
	return newLooker(client, brokers.NewView(client), log, cluster)
}

func newLooker(client *kgo.Client, view *brokers.View, log Log, cluster string) *Looker {
	return &Looker{adm: kadm.NewClient(client), view: view, log: log, cluster: cluster, parts: make(map[place]*part)}
}

// Look asks once: what the groups have committed, what state they are in,
// where their topics begin and end, and of what waits the oldest record. It
// takes at most 30 s. What cannot be known of one group, topic or partition is
// said there; an error is that nothing could be found out.
func (l *Looker) Look(ctx context.Context, w Want) (*Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	names, ours, leftOut, err := l.names(ctx, w)
	if err != nil {
		return nil, err
	}
	// First what is committed and then where logs end: the other way round, what
	// is read meanwhile would stand behind the end.
	commits := l.adm.FetchManyOffsets(ctx, names...)
	states, err := l.describe(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("look at groups: %w", err)
	}
	reads := make(map[string][]string, len(names)) // by group, its topics
	var union []string
	for _, name := range names {
		reads[name] = topicsOf(name, w, commits[name].Fetched, states[name])
		union = append(union, reads[name]...)
	}
	slices.Sort(union)
	logs, err := l.logs(ctx, slices.Compact(union))
	if err != nil {
		return nil, err
	}
	if w.Kept {
		_ = l.rules.refresh(ctx, l.adm, present(logs)) // it takes a right that many have not
	}
	s := &Snapshot{At: time.Now(), LeftOut: leftOut}
	for _, name := range names {
		g := Group{Name: name, State: states[name].state, Members: states[name].members}
		c := commits[name]
		switch {
		case states[name].err != nil:
			g.Err = groupError(name, states[name].err)
		case c.Err != nil && !errors.Is(c.Err, kerr.GroupIDNotFound):
			g.Err = groupError(name, c.Err)
		default:
			for _, topic := range reads[name] {
				g.Topics = append(g.Topics, l.topic(topic, logs[topic], c.Fetched[topic], states[name].owners[topic]))
			}
		}
		if g.State == Dead && len(c.Fetched) > 0 { // a protocol that its coordinator does not describe so
			g.State = ""
		}
		s.Groups = append(s.Groups, g)
	}
	l.age(ctx, s, ours, logs)
	return s, nil
}

// names returns the groups to look at, the first of them ours.
func (l *Looker) names(ctx context.Context, w Want) (names []string, ours, leftOut int, err error) {
	for _, t := range w.Topics {
		names = append(names, t.Group)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	ours = len(names)
	others := slices.Clone(w.Groups)
	if w.Every {
		listed, err := l.adm.ListGroups(ctx)
		var some *kadm.ShardErrors
		if err != nil && (!errors.As(err, &some) || some.AllFailed) {
			return nil, 0, 0, fmt.Errorf("list groups: %w", err)
		}
		for name, g := range listed {
			if hasOffsets(g.ProtocolType) && name != "" && utf8.ValidString(name) { // a metric's label is text
				others = append(others, name)
			}
		}
	}
	slices.Sort(others)
	others = slices.DeleteFunc(slices.Compact(others), func(name string) bool { return slices.Contains(names, name) })
	if w.Every && w.AtMost > 0 && len(others) > w.AtMost {
		leftOut = len(others) - w.AtMost
		others = others[:w.AtMost]
	}
	return append(names, others...), ours, leftOut, nil
}

// hasOffsets reports whether groups of a protocol commit offsets: those of
// consumers and streams do, and those that only commit, which have none. The
// workers of Kafka Connect use groups for their election; share groups
// (KIP-932) have no offset.
func hasOffsets(protocol string) bool {
	return protocol == "" || protocol == "consumer" || protocol == "streams"
}

// topicsOf returns the topics that a group has to do with.
func topicsOf(group string, w Want, committed kadm.OffsetResponses, d described) (names []string) {
	for _, t := range w.Topics {
		if t.Group == group {
			names = append(names, t.Name)
		}
	}
	for topic := range committed {
		names = append(names, topic)
	}
	for topic := range d.owners {
		names = append(names, topic)
	}
	names = append(names, d.topics...)
	slices.Sort(names)
	return slices.Compact(names)
}

// topic puts together what is known of a topic as one group has read it.
func (l *Looker) topic(name string, logs topicLogs, committed map[int32]kadm.OffsetResponse, owners map[int32]member) GroupTopic {
	t := GroupTopic{Name: name, Err: logs.err}
	for id, ends := range logs.logs {
		p := Partition{ID: id, Committed: -1, ClientID: owners[id].clientID, Host: owners[id].host, HighWatermark: ends.End}
		c := offsets.Commit{Cluster: l.cluster, TopicID: logs.id, Offset: -1}
		o, known := committed[id]
		if known {
			c.Offset, c.Metadata = o.At, o.Metadata
			p.Committed = o.At
		}
		p.Err = errors.Join(ends.Err, o.Err)
		if p.Err == nil {
			p.Part, p.Lost = partOf(c, ends.Start, ends.Stable), c.Lost(ends.Start)
			if c.Offset > ends.End && !c.Bound() { // of a topic that is gone, or a log that was cut off
				p.First, p.Waiting = p.Start, max(p.End-p.Start, 0)
			}
		}
		t.Partitions = append(t.Partitions, p)
	}
	slices.SortFunc(t.Partitions, func(a, b Partition) int { return cmp.Compare(a.ID, b.ID) })
	return t
}

// age finds out how old what waits is, and until when it is kept: first of
// ours, then of others, in a time of their own, so that others' topics never
// keep ours from being looked at.
func (l *Looker) age(ctx context.Context, s *Snapshot, ours int, logs map[string]topicLogs) {
	l.looks++
	read := func(ctx context.Context, groups []Group) {
		var wg sync.WaitGroup
		defer wg.Wait()
		free := make(chan struct{}, readers)
		for g := range groups {
			for t := range groups[g].Topics {
				topic := &groups[g].Topics[t]
				for i := range topic.Partitions {
					p := &topic.Partitions[i]
					at := place{groups[g].Name, topic.Name, p.ID}
					known := l.part(at, logs[topic.Name].id)
					known.seen = l.looks
					known.grow(p.End, s.At)
					if p.Waiting == 0 || p.Err != nil {
						continue
					}
					free <- struct{}{}
					wg.Go(func() {
						defer func() { <-free }()
						l.oldest(ctx, p, known, at, s.At)
					})
				}
			}
		}
	}
	read(ctx, s.Groups[:ours])
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	read(ctx, s.Groups[ours:])
	for at, p := range l.parts {
		if p.seen != l.looks {
			delete(l.parts, at)
		}
	}
}

// oldest fills in what the oldest waiting record says.
func (l *Looker) oldest(ctx context.Context, p *Partition, known *part, at place, now time.Time) {
	oldest, found, err := known.find(ctx, l.log, at, p.First, p.End, now)
	switch {
	case err != nil:
		p.Unread = readError(at, err)
		return
	case !found: // nothing but markers of transactions, or what compaction left
		p.Waiting = 0
		return
	}
	p.found = true
	p.Oldest = oldest
	p.KeptUntil = l.rules.keptUntil(topicPart{at.topic, at.id}, oldest, known.at, p.Part, known.rate, now)
}

// groupError says what is missing where that is a right.
func groupError(group string, err error) error {
	if errors.Is(err, kerr.GroupAuthorizationFailed) {
		return fmt.Errorf("not authorised: DESCRIBE on group %s", group)
	}
	return err
}

// readError says why the age of a partition's records is not known.
func readError(at place, err error) error {
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("not authorised: READ on topic %s; its age is not known", at.topic)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s/%d could not be read in time; its age is not known", at.topic, at.id)
	}
	return fmt.Errorf("the oldest record of %s/%d cannot be read: %s", at.topic, at.id, strings.TrimPrefix(err.Error(), fmt.Sprintf("%s/%d", at.topic, at.id)))
}
