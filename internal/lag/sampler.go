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

// Want selects what to sample.
type Want struct {
	Topics []Topic  // of our groups, also without a commit
	Groups []string // other groups
	Every  bool     // all other groups
	AtMost int      // maximum number of other groups with Every; 0: no limit
	Kept   bool     // also read the retention of all topics
}

const (
	// MaxGroups limits the other groups of a daemon: each has time series per partition.
	MaxGroups = 100

	sampleTimeout = 30 * time.Second
	readTimeout   = 10 * time.Second // for the oldest records of other groups
	readers       = 8                // concurrent reads
)

// Sampler samples the lag of groups. It caches the oldest records between samples. It is
// not safe for concurrent use.
type Sampler struct {
	adm     *kadm.Client
	view    *brokers.View
	log     Log
	cluster string
	parts   map[place]*part
	rules   retentions
	round   int
}

// NewSampler returns a Sampler that uses any client of the cluster with this id.
func NewSampler(client *kgo.Client, log Log, cluster string) *Sampler {
	return newSampler(client, brokers.NewView(client), log, cluster)
}

func newSampler(client *kgo.Client, view *brokers.View, log Log, cluster string) *Sampler {
	return &Sampler{adm: kadm.NewClient(client), view: view, log: log, cluster: cluster, parts: make(map[place]*part)}
}

// Sample takes a sample, within 30 s. An error of one group, topic or partition is in its
// Err; the returned error means that there is no sample.
func (l *Sampler) Sample(ctx context.Context, w Want) (*Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	names, ours, leftOut, err := l.names(ctx, w)
	if err != nil {
		return nil, err
	}
	// Commits before log ends, so that no commit is beyond its log's end.
	commits := l.adm.FetchManyOffsets(ctx, names...)
	states, err := l.describe(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("describe groups: %w", err)
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
		_ = l.rules.refresh(ctx, l.adm, present(logs)) // may not be authorised
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
		if g.State == Dead && len(c.Fetched) > 0 { // of another protocol
			g.State = ""
		}
		s.Groups = append(s.Groups, g)
	}
	l.age(ctx, s, ours, logs)
	return s, nil
}

// names returns the groups to sample, ours first.
func (l *Sampler) names(ctx context.Context, w Want) (names []string, ours, leftOut int, err error) {
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

// hasOffsets reports whether groups of a protocol commit offsets. Those of Kafka Connect's
// workers and share groups (KIP-932) do not; groups that only commit have no protocol.
func hasOffsets(protocol string) bool {
	return protocol == "" || protocol == "consumer" || protocol == "streams"
}

// topicsOf returns the topics of a group.
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

// topic returns the lag of a group in one topic.
func (l *Sampler) topic(name string, logs topicLogs, committed map[int32]kadm.OffsetResponse, owners map[int32]member) GroupTopic {
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
			if c.Offset > ends.End && !c.Bound() { // of a deleted topic, or the log was truncated
				p.First, p.Waiting = p.Start, max(p.End-p.Start, 0)
			}
		}
		t.Partitions = append(t.Partitions, p)
	}
	slices.SortFunc(t.Partitions, func(a, b Partition) int { return cmp.Compare(a.ID, b.ID) })
	return t
}

// age sets Oldest and KeptUntil: of our groups first, then of others within readTimeout.
func (l *Sampler) age(ctx context.Context, s *Snapshot, ours int, logs map[string]topicLogs) {
	l.round++
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
					known.round = l.round
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
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	read(ctx, s.Groups[ours:])
	for at, p := range l.parts {
		if p.round != l.round {
			delete(l.parts, at)
		}
	}
}

// oldest sets Oldest and KeptUntil of a partition.
func (l *Sampler) oldest(ctx context.Context, p *Partition, known *part, at place, now time.Time) {
	oldest, found, err := known.find(ctx, l.log, at, p.First, p.End, now)
	switch {
	case err != nil:
		p.Unread = readError(at, err)
		return
	case !found: // only transaction markers, or compacted
		p.Waiting = 0
		return
	}
	p.Oldest = oldest
	p.KeptUntil = l.rules.keptUntil(topicPart{at.topic, at.id}, oldest, known.at, p.Part, known.rate, now)
}

// groupError names a missing right.
func groupError(group string, err error) error {
	if errors.Is(err, kerr.GroupAuthorizationFailed) {
		return fmt.Errorf("not authorised: DESCRIBE on group %s", group)
	}
	return err
}

// readError returns why the age is unknown.
func readError(at place, err error) error {
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("not authorised: READ on topic %s; the age is unknown", at.topic)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("reading %s/%d timed out; the age is unknown", at.topic, at.id)
	}
	return fmt.Errorf("reading the oldest record of %s/%d failed: %s", at.topic, at.id, strings.TrimPrefix(err.Error(), fmt.Sprintf("%s/%d", at.topic, at.id)))
}
