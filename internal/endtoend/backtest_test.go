//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/sample"
	"github.com/algotrade/notifier/internal/topics"
)

// board is a provider that keeps what it was sent, and names each message.
type board struct {
	mu   sync.Mutex
	sent []string
}

// boardOf is the board as the channel with this name sees it.
type boardOf struct {
	*board
	name  string
	edits bool
}

// Send implements channel.Channel.
func (b boardOf) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, members, edit := m.Content(), 1, false
	if m.Digest != nil {
		members, edit = m.Digest.New, m.Digest.Edit != ""
	}
	b.sent = append(b.sent, read(b.name, m.Now, c.Title.String(), backtest.Text(&c), members, edit))
	if !b.edits {
		return channel.Receipt{}, nil
	}
	return channel.Receipt{ID: fmt.Sprint(len(b.sent))}, nil
}

// read is what a person reads of a message, and when.
func read(name string, at time.Time, title, text string, members int, edit bool) string {
	return fmt.Sprintf("%s %s: %s [%s] %d alerts, edit %v", at.UTC().Format("15:04:05.000"), name, title, strings.ReplaceAll(text, "\n", " | "), members, edit)
}

// TestBacktestPredictsWhatTheDaemonSends plays stories to a daemon and its rules with three
// channels: as on Slack, a slow one, and one for machines. Then it reads the topics again,
// as a backtest does.
func TestBacktestPredictsWhatTheDaemonSends(t *testing.T) {
	for _, c := range []struct {
		name, to string
		story    func(uint64, time.Time, float64) *sample.Story
	}{
		{"ordinary day", "[desk, mail, hook]", sample.NewStory},
		{"venue outage", "[desk]", sample.NewStorm},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { backtestStory(t, c.story, c.to) })
		})
	}
}

func backtestStory(t *testing.T, newStory func(uint64, time.Time, float64) *sample.Story, to string) {
	const lasts, after = 4 * time.Minute, 40 * time.Minute
	text := strings.ReplaceAll(string(configs.Rules), "to: [desk]", "to: "+to)
	set, faults := rule.Compile("rules.yaml", []byte(text), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	dispatched := func(change func(*dispatch.Config)) dispatch.Config {
		c := dispatch.Config{Concurrency: 4, Partitions: 4, Timeout: 10 * time.Second, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Ambiguous: dispatch.Resend}
		change(&c)
		return c
	}
	channels := map[string]backtest.Channel{
		"desk": {Edits: true, Config: dispatched(func(c *dispatch.Config) {
			c.Pace, c.Digest.On, c.Partitions = dispatch.Pace{Rate: 1, Burst: 3}, true, 3
		})},
		"mail": {Config: dispatched(func(c *dispatch.Config) {
			c.Pace, c.Digest, c.Partitions = dispatch.Pace{Rate: 0.2, Burst: 2}, digest.Setting{On: true, Own: digest.Config{Window: time.Minute}}, 1
		})},
		"hook": {Config: dispatched(func(*dispatch.Config) {})},
	}

	net, partitions := &kfake.VirtualNetwork{}, make(map[string]int32)
	for name, c := range channels {
		partitions[name] = int32(c.Config.Partitions)
	}
	fake := newCluster(t, net, map[string]int32{string(topics.TradeExecutions): 3}, partitions, kfake.NumBrokers(1))
	config := kafka.Defaults()
	config.Brokers, config.Group = fake.ListenAddrs(), group
	client := func(more ...kgo.Opt) *kgo.Client {
		opts, err := config.Options("test", slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(append(append(opts, kgo.Dialer(net.DialContext)), more...)...)
		if err != nil {
			t.Fatal(err)
		}
		return cl
	}

	// The daemon.
	told := &board{}
	c := daemon.Config{Kafka: config, Events: event.Defaults(), Rules: set, MaxReplays: maxReplays, Drain: 5 * time.Second}
	for name, ch := range channels {
		c.Channels = append(c.Channels, daemon.Channel{Name: name, Channel: boardOf{told, name, ch.Edits}, Dispatch: ch.Config})
	}
	started := make(chan struct{})
	d, err := daemon.New(c, daemon.Deps{
		Logger: slog.New(slog.DiscardHandler), Started: func(string) { close(started) },
		KafkaOptions: func(string) []kgo.Opt { return []kgo.Opt{kgo.Dialer(net.DialContext)} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	<-started

	// The story, one event in a millisecond: timestamps have no more, and tell the order.
	time.Sleep(5 * time.Second)
	begin := time.Now().Truncate(time.Second).Add(2 * time.Second)
	producer, story := client(kgo.ProducerLinger(0)), newStory(1, begin, 40)
	for r, last := story.Next(), begin; r.At < lasts; r = story.Next() {
		at := begin.Add(r.At.Truncate(time.Millisecond))
		if !at.After(last) {
			at = last.Add(time.Millisecond)
		}
		last = at
		time.Sleep(time.Until(at))
		producer.Produce(ctx, &kgo.Record{Topic: string(r.Topic), Key: []byte(r.Key), Value: r.Value, Timestamp: at}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
	}
	producer.Close()
	until := begin.Add(lasts + after)
	time.Sleep(time.Until(until))
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	// The backtest.
	var predicted []string
	s := backtest.New(backtest.Params{Channels: channels, Rules: set, OnMessage: func(m backtest.Message) {
		predicted = append(predicted, read(m.Channel, m.At, m.Title, m.Text, m.Members, m.Edit))
	}})
	reader := client(kgo.ConsumeTopics(string(topics.TradeExecutions), string(topics.PortfolioUpdates), string(topics.ForwardTestEvents)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var records []*kgo.Record
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		fetches := reader.PollFetches(ctx)
		cancel()
		if fetches.NumRecords() == 0 {
			break
		}
		records = append(records, fetches.Records()...)
	}
	reader.Close()
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	decoder, alerts, known := event.NewDecoder(nil, nil, nil), 0, make(map[string]*rule.Resolved)
	for _, r := range records {
		ev, err := decoder.Decode(event.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp, Arrived: r.Timestamp})
		if err != nil {
			continue
		}
		partition := fmt.Sprint(r.Topic, "/", r.Partition)
		if known[partition] == nil {
			known[partition] = rule.NewResolved()
		}
		raised, err := set.MatchKnown(&ev, r.Timestamp, known[partition])
		if err != nil {
			t.Fatal(err)
		}
		for i := range raised {
			alerts++
			s.Add(r.Timestamp, &raised[i], envelope.Source{
				Topic: r.Topic, TopicID: envelope.TopicID(fake.TopicInfo(r.Topic).TopicID), Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value, Headers: r.Headers,
			})
		}
	}
	s.Finish(until)

	slices.Sort(told.sent)
	slices.Sort(predicted)
	t.Logf("%d records, %d alerts, %d messages", len(records), alerts, len(told.sent))
	if len(told.sent) < 50 {
		t.Errorf("the daemon has sent %d messages only", len(told.sent))
	}
	for i := range max(len(told.sent), len(predicted)) {
		sent, expected := "nothing", "nothing"
		if i < len(told.sent) {
			sent = told.sent[i]
		}
		if i < len(predicted) {
			expected = predicted[i]
		}
		if sent != expected {
			t.Errorf("%d messages are predicted, %d were sent; number %d differs:\n  predicted %s\n  sent      %s", len(predicted), len(told.sent), i, expected, sent)
			break
		}
	}
	time.Sleep(time.Second)
	fake.Close()
}
