package consume_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/unpack"
)

// seeing is a handler that keeps what it is given, and settles it.
type seeing struct {
	mu      sync.Mutex
	values  []string
	batches []consume.Oversized
}

// Handle implements consume.Handler.
func (s *seeing) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		s.mu.Lock()
		for _, r := range records {
			if o, ok := consume.OversizedOf(r); ok {
				s.batches = append(s.batches, o)
			} else {
				s.values = append(s.values, string(r.Value))
			}
		}
		s.mu.Unlock()
		p.Advance(records[len(records)-1], 1)
	}
}

func (s *seeing) seen() (values int, batches []consume.Oversized) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values), s.batches
}

// A batch that is too large to be unpacked comes as one record in its place, and
// what stands behind it comes too: several in a row, and as the last.
func TestOversizedBatchComesAsOneRecord(t *testing.T) {
	c := testkafka.Start(t, nil)
	big := make([]byte, 300_000)
	packed := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(time.Second), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	oversized := func() {
		if err := packed.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: big}, &kgo.Record{Topic: topic, Value: big}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, c, 1)
	oversized() // 1, 2
	produce(t, c, 1)
	oversized() // 4, 5
	oversized() // 6, 7
	s := new(seeing)
	var board *health.Conditions
	r := run(t, c, s, func(p *consume.Params) {
		board = health.New(p.Logger, nil)
		p.Conditions, p.PassOversized = board, []string{topic}
		p.Options = append(p.Options, kgo.WithDecompressor(unpack.New(unpack.Limits{Batch: 500_000, Total: 64 << 20})))
	})
	testkafka.Eventually(t, 20*time.Second, "the last comes", func() bool { _, batches := s.seen(); return len(batches) == 3 })
	testkafka.Eventually(t, 20*time.Second, "all is committed", func() bool { at, _ := committed(c); return at == 8 })
	produce(t, c, 1)
	testkafka.Eventually(t, 20*time.Second, "what comes later is committed", func() bool { at, _ := committed(c); return at == 9 })
	values, batches := s.seen()
	if want := []consume.Oversized{{First: 1, Last: 2}, {First: 4, Last: 5}, {First: 6, Last: 7}}; values != 3 || len(batches) != 3 || batches[0] != want[0] || batches[1] != want[1] || batches[2] != want[2] {
		t.Errorf("%d records and %v", values, batches)
	}
	if text := board.Text(health.TooLarge); text != "" {
		t.Errorf("readiness says %q", text)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if text := r.log.text.String(); strings.Count(text, "level=ERROR") != 3 || !strings.Contains(text, "first=1 last=2") {
		t.Errorf("the log:\n%s", text)
	}
}
