package history

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
)

// TestReadersWaitWhereMuchIsFound: of two partitions the one that is read less far is read
// on, but not while more of it waits than is good; then only what the others wait for is.
func TestReadersWaitWhereMuchIsFound(t *testing.T) {
	behind := func(queued int) *partition[int] {
		return &partition[int]{Span: dlq.Span{Topic: "behind"}, reached: time.Unix(100, 0), queue: make([]found[int], queued)}
	}
	for _, c := range []struct {
		what         string
		queued, held int
		want         string
	}{
		{"nothing waits", 0, 0, "behind"},
		{"some waits", mostFound - 1, mostFound - 1, "behind"},
		{"a full queue", mostFound, mostFound, "ahead"},
		{"much of all partitions waits", 1, mostHeld, "ahead"},
		{"much waits, but nothing of this one", 0, mostHeld, "behind"},
	} {
		ahead := &partition[int]{Span: dlq.Span{Topic: "ahead"}, reached: time.Unix(200, 0)}
		r := &reader[int]{partitions: []*partition[int]{behind(c.queued), ahead}, held: c.held}
		r.changed.L = &r.mu
		if got := r.take().Topic; got != c.want {
			t.Errorf("%s: %s is read on, want %s", c.what, got, c.want)
		}
	}
}
