package replay_test

import (
	"testing"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/replay"
)

func TestStatusOfEachVersion(t *testing.T) {
	for name, c := range map[string]struct {
		version int64
		last    dlq.Last
		want    replay.Status
	}{
		"the last":            {3, dlq.Last{Open: true, Offset: 3, Read: 9}, replay.Current},
		"failed again":        {3, dlq.Last{Open: true, Offset: 4, Read: 9}, replay.Reopened},
		"failed too often":    {3, dlq.Last{Open: true, Offset: 5, Read: 9, Quarantined: true}, replay.Quarantined},
		"quarantined itself":  {5, dlq.Last{Open: true, Offset: 5, Read: 9, Quarantined: true}, replay.Current},
		"closed":              {3, dlq.Last{Read: 9}, replay.Closed},
		"no such version":     {6, dlq.Last{Open: true, Offset: 5, Read: 9}, replay.Closed},
		"not read yet":        {9, dlq.Last{Open: true, Offset: 5, Read: 9}, replay.Unread},
		"not read, no record": {0, dlq.Last{}, replay.Unread},
	} {
		if got := replay.StatusOf(c.version, c.last); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
