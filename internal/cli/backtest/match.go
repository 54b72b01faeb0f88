package backtest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
)

// matched is what the versions of the rules raise of one record.
type matched struct {
	source envelope.Source // without the value
	size   int             // of the value
	of     [2]result
}

// result is what one version raises: alerts, or why the record is a dead letter.
type result struct {
	alerts []alert.Alert
	err    *outcome.Error
}

// matcher matches the records of one partition, with what the daemon would know there.
type matcher struct {
	programs []ingest.Program // of the versions
	known    []*rule.Resolved
	topicID  string
	fail     func(error) // ends the run: a record cannot be read now
	events   int64
}

func newMatcher(programs []ingest.Program, topicID string, fail func(error)) *matcher {
	m := &matcher{programs: programs, topicID: topicID, fail: fail}
	for range programs {
		m.known = append(m.known, rule.NewResolved())
	}
	return m
}

// match implements history.Matcher.
func (m *matcher) match(r *kgo.Record, at time.Time) (found matched, some bool) {
	for i := range m.programs {
		alerts, err := m.one(i, r, at)
		if errors.Is(err, event.ErrTombstone) {
			return matched{}, false
		}
		if err != nil && !errors.As(err, &found.of[i].err) {
			m.fail(fmt.Errorf("%s/%d@%d cannot be read now: %w", r.Topic, r.Partition, r.Offset, err))
			return matched{}, false
		}
		found.of[i].alerts = alerts
		some = some || err != nil || len(alerts) > 0
	}
	m.events++
	if some {
		found.source, found.size = m.sourceOf(r), len(r.Value)
	}
	return found, some
}

// sourceOf returns the source of alerts. It shares no memory with the record.
func (m *matcher) sourceOf(r *kgo.Record) envelope.Source {
	s := envelope.Source{Topic: r.Topic, TopicID: m.topicID, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: bytes.Clone(r.Key)}
	for _, h := range r.Headers {
		s.Headers = append(s.Headers, kgo.RecordHeader{Key: strings.Clone(h.Key), Value: bytes.Clone(h.Value)})
	}
	return s
}

// one matches a record with one version. A panic concerns this record alone, as in the
// daemon.
func (m *matcher) one(i int, r *kgo.Record, at time.Time) (alerts []alert.Alert, err error) {
	defer func() {
		if v := recover(); v != nil {
			alerts, err = nil, outcome.Errorf(outcome.RulePanicked, "a rule or the decoder panicked (%T)", v)
		}
	}()
	return m.programs[i].Match(r, at, at, m.known[i])
}

// tooLarge is what comes of a batch that cannot be unpacked: one dead letter.
func tooLarge(b *dlq.BatchError) (found matched) {
	found.source = envelope.Source{Topic: b.Topic, Partition: b.Partition, Offset: b.First}
	for i := range found.of {
		found.of[i].err = &outcome.Error{Cause: outcome.BatchTooLarge, Detail: b.Error()}
	}
	return found
}

// place returns topic/partition@offset.
func place(s *envelope.Source) string {
	return fmt.Sprintf("%s/%d@%d", s.Topic, s.Partition, s.Offset)
}
