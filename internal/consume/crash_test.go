package consume

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMarkReadsBack(t *testing.T) {
	for _, k := range []mark{
		unmarked,
		owned,
		{owned: true, first: 0, last: 0},
		{owned: true, first: 17, last: 1041},
		{owned: true, first: 5, last: 5, deaths: 1},
		{owned: true, first: 5, last: 5, alone: true},
		{owned: true, first: 1 << 40, last: 1 << 40, alone: true, deaths: 7},
	} {
		metadata := withMark(binding{"c", "t"}.encode(nil, nil), k)
		b, _, _, err := decodeMetadata(metadata, 0)
		if got := markIn(metadata); err != nil || b != (binding{"c", "t"}) || got != k {
			t.Errorf("%q reads back as %+v, want %+v, %v", metadata, got, k, err)
		}
	}
}

func TestDamagedMarkCountsAsNone(t *testing.T) {
	for _, text := range []string{"x", "+x", "+5", "+5-", "+5-7", "+-5-7?0", "+7-5?0", "+5-5!", "+5-5!-1", "+5-5!1x", "+5-6!0", "+5-5 0", "+99999999999999999999-1?0"} {
		if k, err := parseMark(text); err == nil {
			t.Errorf("%q is %+v", text, k)
		}
		if k := markIn("notifier/2 c t - - " + text); k != unmarked {
			t.Errorf("%q counts as %+v", text, k)
		}
	}
}

// TestPortionsAfterACrash: small steps up to what is suspected, that one record
// at a time, then steps again, and everything at once from where the log ended.
func TestPortionsAfterACrash(t *testing.T) {
	k := &marking{suspect: mark{owned: true, first: 10, last: 12}, until: 20, step: 1}
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
