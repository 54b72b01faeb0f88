package dlq_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// forgetful is a connection that loses the first answer to a produce request:
// the broker has appended the records, and the answer is lost.
type forgetful struct {
	net.Conn
	lost    *atomic.Int32
	produce atomic.Bool
}

func (c *forgetful) Write(b []byte) (int, error) {
	if len(b) >= 6 && kmsg.Key(binary.BigEndian.Uint16(b[4:])) == kmsg.Produce {
		c.produce.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *forgetful) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.produce.Load() && c.lost.CompareAndSwap(0, 1) {
		_ = c.Close()
		return 0, errors.New("the answer is lost")
	}
	return n, err
}

func TestLostAcknowledgementLeavesOneEntry(t *testing.T) {
	c := testkafka.Start(t, nil)
	var lost atomic.Int32
	dial := kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, host)
		return &forgetful{Conn: conn, lost: &lost}, err
	})
	cl, err := kgo.NewClient(append(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil))), dial, kgo.SeedBrokers(c.Brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	w := dlq.NewWriter(dlq.WriterParams{Client: cl, Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
	testkafka.Eventually(t, 20*time.Second, "the entry is written", func() bool { return w.Write(t.Context(), entry("re_1", []byte("x"))) == nil })
	if lost.Load() != 1 {
		t.Fatal("no answer was lost")
	}
	if n := len(list(t, c)); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestEntriesAreWrittenOnceTopicRecovers(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse")
		return
	}
	c := testkafka.Start(t, nil, kfake.NumBrokers(3))
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	w := writer(t, c, nil)
	refused := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	if err := w.Write(t.Context(), entry("re_1", nil)); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("not writable: %v", err)
	}
	refused.Remove()
	write(t, w, entry("re_1", nil))
	for node := range int32(3) { // its leader moves under the writer
		if err := c.Fake().MoveTopicPartition(topic, 0, node); err != nil {
			t.Fatal(err)
		}
		write(t, w, entry("re_2", nil))
	}
	for _, err := range []*kerr.Error{kerr.NotEnoughReplicas, kerr.NotLeaderForPartition, kerr.RequestTimedOut} {
		c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err})
		write(t, w, entry("re_3", nil))
	}
	if n := len(list(t, c)); n != 3 {
		t.Errorf("%d entries", n)
	}
}
