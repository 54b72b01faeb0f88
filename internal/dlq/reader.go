package dlq

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// Reader reads dead letters. It joins no group and commits nothing.
type Reader struct {
	opts  []kgo.Opt
	group string
}

// NewReader returns a reader of the dead letters of group; opts say how to
// reach the cluster.
func NewReader(group string, opts ...kgo.Opt) *Reader { return &Reader{opts: opts, group: group} }

// List returns the entries that stand in the dead-letter topics of these
// sources, the newest first: the last version of each id up to the end offsets
// asked now, so that it is the same before, during and after compaction.
// Topics that do not exist are an error.
func (r *Reader) List(ctx context.Context, sources ...topics.Name) ([]*Entry, error) {
	if len(sources) == 0 {
		sources = topics.All()
	}
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = topics.DeadLetter(r.group, s)
	}
	latest := make(map[string]*Entry)
	err := r.scan(ctx, names, func(rec *kgo.Record) {
		id := rec.Topic + "\x00" + string(rec.Key)
		if rec.Value == nil { // a tombstone: resolved or discarded
			delete(latest, id)
			return
		}
		latest[id] = Parse(rec)
	})
	if err != nil {
		return nil, err
	}
	entries := make([]*Entry, 0, len(latest))
	for _, e := range latest {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *Entry) int {
		if d := b.LastFailed.Compare(a.LastFailed); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return entries, nil
}

// Find returns the entry whose id begins with prefix; no entry and several are
// errors that say so.
func (r *Reader) Find(ctx context.Context, prefix string) (*Entry, error) {
	entries, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []*Entry
	for _, e := range entries {
		if e.ID == prefix {
			return e, nil
		}
		if strings.HasPrefix(e.ID, prefix) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no dead letter %s: see 'notifier dlq list'", prefix)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("%s begins the ids of %d dead letters, %s and %s among them: give more of it", prefix, len(found), found[0].ID, found[1].ID)
}

// scan calls f for every record between the start and end offsets asked now.
func (r *Reader) scan(ctx context.Context, names []string, f func(*kgo.Record)) error {
	opts := append(slices.Clone(r.opts), kgo.FetchMaxWait(idlePoll/2))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, names...)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, names...)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	if err := ends.Error(); err != nil {
		return fmt.Errorf("read dead letters: %w: run 'notifier topics create'", err)
	}
	from := make(map[string]map[int32]kgo.Offset)
	left := make(map[string]map[int32]int64)
	open := 0
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if start.Offset >= end.Offset {
			return
		}
		if from[end.Topic] == nil {
			from[end.Topic], left[end.Topic] = make(map[int32]kgo.Offset), make(map[int32]int64)
		}
		from[end.Topic][end.Partition] = kgo.NewOffset().At(start.Offset)
		left[end.Topic][end.Partition] = end.Offset
		open++
	})
	if open == 0 {
		return nil
	}
	cl.AddConsumePartitions(from)
	idle := 0
	for open > 0 {
		pollCtx, cancel := context.WithTimeout(ctx, idlePoll)
		fetches := cl.PollFetches(pollCtx)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("read dead letters: %w", context.Cause(ctx))
		}
		idle++
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			end, ok := left[p.Topic][p.Partition]
			if !ok || len(p.Records) == 0 {
				return
			}
			idle = 0
			for _, rec := range p.Records {
				if rec.Offset < end {
					f(rec)
				}
			}
			if p.Records[len(p.Records)-1].Offset >= end-1 {
				delete(left[p.Topic], p.Partition)
				open--
			}
		})
		// Where the last records below the end were compacted away nothing
		// more will come: a broker that answers and has nothing has said so.
		if idle >= 3 {
			if err := cl.Ping(ctx); err != nil {
				return fmt.Errorf("read dead letters: %w", err)
			}
			return nil
		}
	}
	return nil
}

// idlePoll is how long one poll of a scan waits; a broker with records answers
// in a fraction of it.
const idlePoll = 500 * time.Millisecond
