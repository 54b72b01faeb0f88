package notice_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/notice"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// start returns a sender, and a function that returns what is in the outbox of desk.
func start(t *testing.T) (*notice.Sender, func() []*kgo.Record) {
	t.Helper()
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 3, SingleOwner: true}})
	sizes := kafka.MaxMessageBytes(c.Shapes([]kafka.Channel{{Name: "desk", Partitions: 3}}))
	p := outbox.New(outbox.Params{
		Broker: outbox.Kafka(c.Client(kafka.OutboxOptions(sizes)...)), Group: c.Group, Channels: []string{"desk"},
		SingleOwner: func(string) bool { return true }, Logger: slog.New(slog.DiscardHandler),
	})
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := dlq.NewLog(c.Client())
	return notice.New(p), func() []*kgo.Record {
		t.Helper()
		all, _, err := log.Read(t.Context(), topics.Outbox(c.Group, "desk"), 0, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
}

func suspended(began time.Time) alert.Alert {
	return alert.Alert{
		ID: notice.ID("g", "channel desk-slack", began), Severity: alert.Warning, Key: []string{"channel", "desk-slack"},
		Title: alert.Text{{Text: "desk-slack", Value: true}, {Text: " is suspended"}}, Throttle: time.Hour, Expire: time.Second,
	}
}

func TestNoticeSentAgainIsADuplicate(t *testing.T) {
	s, read := start(t)
	began := time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)
	for i, a := range []alert.Alert{suspended(began), suspended(began), suspended(began.Add(time.Millisecond))} {
		if err := s.Send(t.Context(), "desk", a); err != nil {
			t.Fatal(err)
		}
		if n := len(read()); n != i+1 {
			t.Fatalf("%d of %d are in the outbox when Send returns", n, i+1)
		}
	}
	var dedup offsets.Dedup
	for i, r := range read() {
		e, _, err := envelope.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if !e.Notice() || !e.Alert.Notice() || e.Alert.Rule != alert.Notifier || e.Channel != "desk" || e.Event() != nil {
			t.Errorf("%+v", e)
		}
		if e.Alert.Throttle != 0 || e.Alert.Expire != 0 || time.Since(e.Alert.EventTime) > time.Minute {
			t.Errorf("it is throttled, expires or is old: %+v", e.Alert)
		}
		if duplicate := dedup.Seen(e.From); duplicate != (i == 1) {
			t.Errorf("notice %d is a duplicate: %v", i, duplicate)
		}
		if string(r.Key) != "notifier/channel/desk-slack" {
			t.Errorf("its lane is %q: what is said of one channel has no order", r.Key)
		}
	}
}

// TestOutboxForgetsOldNotices: a channel that fails again and again must not fill what a
// commit remembers.
func TestOutboxForgetsOldNotices(t *testing.T) {
	s := new(shelf)
	var dedup offsets.Dedup
	sender := notice.New(s)
	if err := sender.Send(t.Context(), "desk", suspended(time.Now())); err != nil {
		t.Fatal(err)
	}
	first := s.taken[0].From
	dedup.Seen(first)
	for i := range 1000 {
		next := first
		next.Delivery = fmt.Sprint(i)
		next.From.Offset += int64(i) * time.Minute.Milliseconds()
		next.Done.Offset += int64(i) * time.Minute.Milliseconds()
		if dedup.Seen(next) {
			t.Fatalf("notice %d is lost", i)
		}
	}
	if n := len(dedup.Append(nil, 1<<20)); n > 370*16 {
		t.Errorf("%d bytes are remembered of 1000 notices, one a minute", n)
	}
}

func TestUnknownChannelGetsNoNotice(t *testing.T) {
	if err := notice.New(new(shelf)).Send(t.Context(), "nosuch", suspended(time.Now())); !errors.Is(err, notice.ErrNoChannel) {
		t.Error(err)
	}
	refused := errors.New("no leader")
	if err := notice.New(&shelf{err: refused}).Send(t.Context(), "desk", suspended(time.Now())); !errors.Is(err, refused) {
		t.Error(err)
	}
}

// shelf is the outbox of desk.
type shelf struct {
	err   error
	taken []*envelope.Envelope
}

func (s *shelf) Has(channel string) bool { return channel == "desk" }

func (s *shelf) Put(_ context.Context, list []*envelope.Envelope, _ func(string)) []error {
	s.taken = append(s.taken, list...)
	return []error{s.err}
}
