package consume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/offsets"
)

// Start says where a new group begins.
type Start struct {
	Latest bool
	At     time.Time // the first record at or after this time; zero: Latest, else earliest
}

// ErrExpired is returned when the group has no offsets although it has worked
// before: the brokers have forgotten them.
var ErrExpired = errors.New("the group's committed offsets have expired")

// StartParams is what EnsureStart needs.
type StartParams struct {
	Group   string
	Cluster string
	Topics  []string // the sources
	Own     []string // topics that only we write; records in them prove that the group has worked
	Start   Start
	Force   bool // set the offsets even where there are some
	// Again has the events from there on evaluated again, also those that were handled
	// before. It needs Force.
	Again  bool
	Logger *slog.Logger
}

// EnsureStart commits explicit offsets for the source partitions of a group
// that has none, before it joins, so that "no commit" thereafter always means
// a new partition, which is read from its beginning. It returns ErrExpired
// when the group is not new but its offsets are gone. When another member was
// first, its offsets stand.
func EnsureStart(ctx context.Context, adm *kadm.Client, p StartParams) error {
	for range 5 {
		committed, err := p.committed(ctx, adm)
		if err != nil {
			return err
		}
		if len(committed) > 0 && !p.Force {
			return nil
		}
		if !p.Force {
			if err := p.checkNew(ctx, adm); err != nil {
				return err
			}
		}
		err = p.commit(ctx, adm, committed)
		if !errors.Is(err, kerr.UnknownMemberID) {
			return err
		}
		select { // another daemon has joined and is about to commit
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// committed returns what the group has committed of the topics. An error of one
// partition is one of all: nobody may take it for the lack of a commit.
func (p StartParams) committed(ctx context.Context, adm *kadm.Client) (kadm.Offsets, error) {
	fetched, err := adm.FetchOffsets(ctx, p.Group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		err = nil
	}
	committed := make(kadm.Offsets)
	for _, topic := range p.Topics {
		for _, o := range fetched[topic] {
			if o.Err != nil {
				err = o.Err
			} else if o.At >= 0 {
				committed.Add(o.Offset)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", p.Group, err)
	}
	return committed, nil
}

// checkNew reports whether our own topics hold records of an earlier life.
func (p StartParams) checkNew(ctx context.Context, adm *kadm.Client) error {
	if len(p.Own) == 0 {
		return nil
	}
	ends, err := adm.ListEndOffsets(ctx, p.Own...)
	if err != nil {
		return fmt.Errorf("look into our own topics: %w", err)
	}
	var found error
	ends.Each(func(o kadm.ListedOffset) {
		switch {
		case errors.Is(found, ErrExpired):
		case o.Err != nil:
			found = fmt.Errorf("look into our own topics: %s: %w", o.Topic, o.Err)
		case o.Offset > 0:
			found = fmt.Errorf("%w: group %s has none, yet %s holds records: choose where to continue with 'notifier run --start earliest|latest|TIME'", ErrExpired, p.Group, o.Topic)
		}
	})
	return found
}

// commit sets where the topics are read from, and says what that passes over and
// what is read again.
func (p StartParams) commit(ctx context.Context, adm *kadm.Client, committed kadm.Offsets) error {
	listed, err := p.list(ctx, adm)
	if err != nil {
		return fmt.Errorf("look up where to start: %w", err)
	}
	ids, err := topicIDs(ctx, adm, p.Topics)
	if err != nil {
		return err
	}
	first := make(kadm.Offsets)
	var unknown error
	listed.Each(func(o kadm.ListedOffset) {
		switch {
		case o.Err == nil:
			first.Add(kadm.Offset{
				Topic: o.Topic, Partition: o.Partition, At: o.Offset, LeaderEpoch: -1,
				Metadata: p.metadata(committed, o, ids[o.Topic]),
			})
		case p.Start != Start{}: // without a commit it would be read from its beginning
			unknown = fmt.Errorf("look up where to start in %s: %w", o.Topic, o.Err)
		}
	})
	if unknown != nil {
		return unknown
	}
	for _, topic := range p.Topics {
		p.say(topic, committed[topic], first[topic])
	}
	return p.store(ctx, adm, first)
}

// say says before a topic's offsets are set what that passes over, what is read again,
// and from where to where each partition moves.
func (p StartParams) say(topic string, from, to map[int32]kadm.Offset) {
	var again, skipped int64
	var moves []string
	for _, id := range slices.Sorted(maps.Keys(from)) {
		old, at := from[id].At, to[id].At
		if _, ok := to[id]; !ok || old == at {
			continue
		}
		again, skipped = again+max(old-at, 0), skipped+max(at-old, 0)
		if moves = append(moves, fmt.Sprintf("%d:%d→%d", id, old, at)); len(moves) > mostMoves {
			moves[mostMoves] = "…"
			moves = moves[:mostMoves+1]
		}
	}
	if len(moves) > 0 {
		p.Logger.Info("setting the start", "topic", topic, "read_again", again, "skipped", skipped, "alerts", p.effect(again), "offsets", strings.Join(moves, " "))
	}
}

// mostMoves is of how many partitions say names the offsets.
const mostMoves = 32

// metadata is what is committed with a start. It keeps when events were evaluated again
// last, unless that is now.
func (p StartParams) metadata(committed kadm.Offsets, at kadm.ListedOffset, id string) string {
	m := offsets.Metadata{Cluster: p.Cluster, TopicID: id, Gaps: offsets.NoGaps, Crash: offsets.Unmarked, Begin: at.Offset}
	if p.Again {
		m.Again = time.Now().Unix()
	} else if old, ok := committed.Lookup(at.Topic, at.Partition); ok {
		if before, err := offsets.DecodeMetadata(old.Metadata, old.At); err == nil && before.Cluster == p.Cluster && before.TopicID == id {
			m.Again = before.Again
		}
	}
	return m.Encode(at.Offset)
}

// effect says which alerts of records that are read again are sent.
func (p StartParams) effect(again int64) string {
	switch {
	case again == 0:
		return "new ones only"
	case p.Again:
		return "the events are evaluated again; alerts that are in their outboxes are not sent again"
	}
	return "events that were handled before raise none, not even of new rules; --again evaluates them again"
}

// AcceptOffsets is the person's word about the group that reads our own topics:
// an offset that was set by hand is where it continues, and a partition that has
// none although records stand in it begins at p.Start. p.Topics are our own.
func AcceptOffsets(ctx context.Context, adm *kadm.Client, p StartParams) error {
	committed, err := p.committed(ctx, adm)
	if err != nil {
		return err
	}
	begin, err := p.list(ctx, adm)
	if err != nil {
		return fmt.Errorf("look up where to start: %w", err)
	}
	ids, err := topicIDs(ctx, adm, p.Topics)
	if err != nil {
		return err
	}
	accepted := make(kadm.Offsets)
	begin.Each(func(o kadm.ListedOffset) {
		at, epoch := o.Offset, int32(-1)
		if c, ok := committed.Lookup(o.Topic, o.Partition); ok {
			if c.Metadata != "" {
				return
			}
			at, epoch = c.At, c.LeaderEpoch
		}
		if o.Err == nil {
			accepted.Add(kadm.Offset{Topic: o.Topic, Partition: o.Partition, At: at, LeaderEpoch: epoch, Metadata: offsets.BindingFrom(p.Cluster, ids[o.Topic], at)})
		}
	})
	if len(accepted) == 0 {
		return nil
	}
	return p.store(ctx, adm, accepted)
}

// store commits offsets from outside of the group, which the brokers take only
// while nobody is in it.
func (p StartParams) store(ctx context.Context, adm *kadm.Client, offsets kadm.Offsets) error {
	resp, err := adm.CommitOffsets(ctx, p.Group, offsets)
	if err == nil {
		err = resp.Error()
	}
	if errors.Is(err, kerr.UnknownMemberID) && p.Force {
		return fmt.Errorf("cannot set the start of group %s while a notifier runs in it: stop it first", p.Group)
	}
	if err != nil {
		return fmt.Errorf("commit the start of group %s: %w", p.Group, err)
	}
	return nil
}

func (p StartParams) list(ctx context.Context, adm *kadm.Client) (kadm.ListedOffsets, error) {
	switch {
	case !p.Start.At.IsZero():
		return adm.ListOffsetsAfterMilli(ctx, max(0, p.Start.At.UnixMilli()), p.Topics...)
	case p.Start.Latest:
		return adm.ListEndOffsets(ctx, p.Topics...)
	default:
		return adm.ListStartOffsets(ctx, p.Topics...)
	}
}
