package consume

import (
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
