package consume

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/unpack"
)

// TestARecordsHeadersCountWhatTheyTake: a header of no byte at all takes as much
// as its name and its value have to be found by.
func TestARecordsHeadersCountWhatTheyTake(t *testing.T) {
	none := size(&kgo.Record{})
	if none < 150 || none > 400 {
		t.Errorf("an empty record takes %d bytes", none)
	}
	r := &kgo.Record{Key: []byte("key"), Value: make([]byte, 1000), Headers: make([]kgo.RecordHeader, 1000)}
	r.Headers[0] = kgo.RecordHeader{Key: "name", Value: []byte("value")}
	if got, want := size(r), none+3+1000+1000*unpack.HeaderCost+9; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// TestWhatIsMadeOfRecordsFillsTheWindow until it is given back. After a revoke it
// is nobody's.
func TestWhatIsMadeOfRecordsFillsTheWindow(t *testing.T) {
	o := newOwners()
	p, _ := o.Assign("outbox", 0, "id", 20, nil)
	o.Deliver(p, []*kgo.Record{{Topic: "outbox", Value: make([]byte, 100)}})
	_, before := p.load()
	check := func(when string, want int) {
		t.Helper()
		if _, got := p.load(); got != want || o.member.bytes.Load() != int64(want) {
			t.Errorf("%s: %d bytes in the partition, %d in all, want %d", when, got, o.member.bytes.Load(), want)
		}
	}
	p.Charge(1000)
	check("charged", before+1000)
	p.Release()
	check("its records released", 1000)
	p.Charge(-1000)
	check("given back", 0)
	p.Charge(500)
	p.fence()
	p.Charge(-500)
	p.Charge(700)
	check("revoked, when the member drops what is left", 500)
}

// TestPauseNeverOutlivesItsResume: a partition that fills in one goroutine and
// empties in another is fetched in the end.
func TestPauseNeverOutlivesItsResume(t *testing.T) {
	client, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m := NewSteps(Params{Name: "ingest", Topics: []string{"t"}, Window: Window{Records: 10, Bytes: 1000}, Logger: slog.New(slog.DiscardHandler)}).member
	m.client = client
	p := m.newPartition("t", 0)
	m.parts[topicPartition{"t", 0}] = p
	for range 2_000 {
		var wg sync.WaitGroup
		filled := make(chan struct{}, 1)
		wg.Go(func() {
			for range 20 {
				p.Charge(1000)
				m.pauseIfFull(p)
				filled <- struct{}{}
			}
			close(filled)
		})
		wg.Go(func() {
			for range filled {
				p.Charge(-1000)
			}
		})
		wg.Wait()
		if paused := client.PauseFetchPartitions(nil); len(paused) > 0 {
			t.Fatalf("%v is paused, and nothing is held", paused)
		}
	}
}
