// Package record finds the record of a source topic that an argument of a command names, and
// says why there is none.
package record

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/topics"
)

// Place is where a record stands.
type Place struct {
	Topic     topics.Name
	Partition int32
	Offset    int64
}

var written = regexp.MustCompile(`^([^/]+)/([0-9]+)@([0-9]+)$`)

// Is reports whether a text has the form of a place, whatever its topic.
func Is(text string) bool { return written.MatchString(text) }

// Parse reads TOPIC/PARTITION@OFFSET.
func Parse(text string) (p Place, err error) {
	m := written.FindStringSubmatch(text)
	if m == nil {
		return p, base.Misused("%q is not TOPIC/PARTITION@OFFSET, such as %s/3@918273", text, topics.TradeExecutions)
	}
	if p.Topic, err = topics.Parse(m[1]); err != nil {
		return p, base.Misused("%w", err)
	}
	partition, err := strconv.ParseInt(m[2], 10, 32)
	if err != nil {
		return p, base.Misused("%s is not the number of a partition", m[2])
	}
	if p.Offset, err = strconv.ParseInt(m[3], 10, 64); err != nil {
		return p, base.Misused("%s is not an offset", m[3])
	}
	p.Partition = int32(partition)
	return p, nil
}

// String returns TOPIC/PARTITION@OFFSET.
func (p Place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

// ReadFile returns the event in a file (-: of in), one document.
func ReadFile(in io.Reader, name string) (data []byte, err error) {
	const most = 16 << 20
	if name == "-" {
		data, err = io.ReadAll(io.LimitReader(in, most))
	} else {
		data, err = safefile.Read(name, most)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, safefile.Reason(err))
	}
	return bytes.TrimSpace(data), nil
}

// Options are those of the client that Find needs, besides the configured ones.
func Options() []kgo.Opt {
	return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100 * time.Millisecond)}
}

// AbsentError says why no record that the notifier reads stands at a place.
type AbsentError struct {
	Place Place
	Why   string
	// Ignored: there is a record, and the notifier passes over it.
	Ignored bool
}

func (e *AbsentError) Error() string { return fmt.Sprintf("%s: %s", e.Place, e.Why) }

// maxBytes is how much is fetched for one record: the first batch comes whatever its size.
const maxBytes = 1

// Find returns the record at a place, as the notifier reads it. An *AbsentError says why
// there is none.
func Find(ctx context.Context, cl *kgo.Client, p Place) (*kgo.Record, error) {
	absent := func(format string, args ...any) error {
		return &AbsentError{Place: p, Why: fmt.Sprintf(format, args...)}
	}
	log := dlq.NewLog(cl)
	records, _, readErr := log.Read(ctx, string(p.Topic), p.Partition, p.Offset, maxBytes)
	if len(records) > 0 && records[0].Offset == p.Offset {
		return records[0], nil
	}
	admin := kadm.NewClient(cl)
	starts, err := admin.ListStartOffsets(ctx, string(p.Topic))
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", p.Topic, err)
	}
	start, ok := starts.Lookup(string(p.Topic), p.Partition)
	if !ok {
		return nil, absent("there is no such partition, the topic has %s", plural.Count(len(starts[string(p.Topic)]), "partition"))
	}
	ends, err := admin.ListEndOffsets(ctx, string(p.Topic))
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", p.Topic, err)
	}
	end, _ := ends.Lookup(string(p.Topic), p.Partition)
	switch {
	case p.Offset < start.Offset:
		return nil, absent("the log begins at offset %d: retention or a deletion removed this record", start.Offset)
	case p.Offset >= end.Offset:
		return nil, absent("the log ends at offset %d: this record is not written yet", end.Offset)
	case readErr != nil:
		return nil, fmt.Errorf("read %s: %w", p, readErr)
	}
	return nil, passedOver(ctx, cl, admin, p)
}

// passedOver says why the notifier passes over what is at an offset within the log.
func passedOver(ctx context.Context, cl *kgo.Client, admin *kadm.Client, p Place) error {
	stable, err := admin.ListCommittedOffsets(ctx, string(p.Topic))
	if err != nil {
		return fmt.Errorf("offsets of %s: %w", p.Topic, err)
	}
	e := &AbsentError{Place: p, Ignored: true}
	if last, _ := stable.Lookup(string(p.Topic), p.Partition); p.Offset >= last.Offset {
		e.Why = fmt.Sprintf("it is in an open transaction or behind one, which began at offset %d or later: it is read once the transaction ends", last.Offset)
		return e
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{string(p.Topic): {p.Partition: kgo.NewOffset().At(p.Offset)}})
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	fetches := cl.PollRecords(ctx, 1)
	if it := fetches.RecordIter(); !it.Done() {
		switch r := it.Next(); {
		case r.Offset != p.Offset:
			e.Why, e.Ignored = fmt.Sprintf("compaction removed this record, the next one has the offset %d", r.Offset), false
		case r.Attrs.IsControl():
			e.Why = "it is the marker that ends a transaction, and no event"
		default:
			e.Why = "its transaction was aborted: the notifier does not read it, and no rule sees it"
		}
		return e
	}
	if err := fetches.Err0(); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	e.Why, e.Ignored = "compaction removed this record", false
	return e
}

// Event returns a record as the decoder takes it. It has arrived when it was written.
func Event(r *kgo.Record) event.Record {
	rec := event.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp, Arrived: r.Timestamp}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, event.Header{Name: h.Key, Value: h.Value})
	}
	return rec
}

// Identity returns what the ids of a record's alerts are made of.
func Identity(ctx context.Context, cl *kgo.Client, p Place) (s alert.Source, err error) {
	admin := kadm.NewClient(cl)
	brokers, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return s, fmt.Errorf("request the cluster id: %w", err)
	}
	s = alert.Source{Cluster: brokers.Cluster, Topic: string(p.Topic), Partition: p.Partition, Offset: p.Offset}
	found, err := admin.ListTopics(ctx, string(p.Topic))
	if err != nil {
		return s, fmt.Errorf("request the id of %s: %w", p.Topic, err)
	}
	if id := envelope.TopicID(found[string(p.Topic)].ID); id != "" {
		s.Topic = id
	}
	return s, nil
}
