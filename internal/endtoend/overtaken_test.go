//go:build synctests

package endtoend

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/algotrade/notifier/internal/simulation/oracle"
)

// overtakings are what processes log of alerts that an outbox refused at first, when
// later ones were on their way to it: an excuse for their order, and for no other's.
type overtakings struct {
	mu  sync.Mutex
	all []overtaking
}

type overtaking struct {
	outbox string
	first  oracle.Place // of the source
	until  int64
}

func (o *overtakings) note(r slog.Record) {
	var x overtaking
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "outbox":
			x.outbox = a.Value.String()
		case "topic":
			x.first.Topic = a.Value.String()
		case "partition":
			x.first.Partition = int32(a.Value.Int64())
		case "offset":
			x.first.Offset = a.Value.Int64()
		case "until":
			x.until = a.Value.Int64()
		}
		return true
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, x)
}

// covers reports whether a record of an outbox, which was made of a record of a
// source, may stand behind later ones.
func (o *overtakings) covers(h oracle.Happening) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.all, func(x overtaking) bool {
		return x.outbox == h.Place.Topic && x.first.Topic == h.From.Topic && x.first.Partition == h.From.Partition &&
			x.first.Offset <= h.From.Offset && h.From.Offset < x.until
	})
}
