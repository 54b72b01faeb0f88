package backtest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestRecentEventsAreReadWhole: of every compression, in transactions and beside aborted
// ones, on several partitions. It is for a real cluster too.
func TestRecentEventsAreReadWhole(t *testing.T) {
	const each = 500
	c := testkafka.Start(t, nil)
	want := 0
	event := func(qty int) *kgo.Record {
		want++
		return &kgo.Record{Topic: "trade-executions", Key: fmt.Append(nil, want), Value: fmt.Appendf(nil, `{"kind":"rejected","account":"ACC-%d","qty":%d,"reason":"limit"}`, want%50, qty)}
	}
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		cl := c.Client(kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(5*time.Millisecond))
		var batch []*kgo.Record
		for n := range each {
			batch = append(batch, event(n))
		}
		if err := cl.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	cl := c.Client(kgo.TransactionalID(c.Group + "-orders"))
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := errors.Join(cl.BeginTransaction(), cl.ProduceSync(t.Context(), event(1000)).FirstErr(), cl.EndTransaction(t.Context(), end)); err != nil {
			t.Fatal(err)
		}
	}
	want -= 2 // aborted
	dir := configured(t)
	s := parsed(t, backtest(t, c, dir, "--since", "10m", "-o", "json").Want(t, base.ExitDone))
	if r := s.Versions[0].Rules[0]; s.Events != want || r.Alerts != want || r.Critical != 1 {
		t.Errorf("%d events and %d alerts, %d critical; want %d and 1", s.Events, r.Alerts, r.Critical, want)
	}
	backtest(t, c, dir, "--since", "10m", "--until", "9m").Want(t, base.ExitFailed, "no event of trade-executions, portfolio-updates since", "the newest is of")
}
