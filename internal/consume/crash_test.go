package consume

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/offsets"
)

// TestPortionsAfterACrash: small steps up to what is suspected, that one record
// at a time, then steps again, and everything at once from where the log ended.
func TestPortionsAfterACrash(t *testing.T) {
	k := &marking{suspect: offsets.CrashMark{Owned: true, First: 10, Last: 12}, until: 20, step: 1}
	var queue []*kgo.Record
	for i := range 1000 {
		queue = append(queue, &kgo.Record{Offset: int64(i)})
	}
	want := []int{1, 2, 4, 3, 1, 1, 1, 7, 980} // steps 1, 2, 4, 8 (cut at 10); 10, 11, 12; 16 (cut at 20); the rest
	for i := 0; len(queue) > 0; i++ {
		n := k.portion(queue)
		if i >= len(want) || n != want[i] {
			t.Fatalf("portion %d is %d, want %v", i, n, want)
		}
		queue = queue[n:]
	}
}
