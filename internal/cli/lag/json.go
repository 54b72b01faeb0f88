package lag

import (
	"bufio"
	"cmp"
	"time"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/lag"
)

// rowJSON is the lag of a group in one topic: see docs/lag.md. Unknown and missing values
// are null.
type rowJSON struct {
	At         time.Time       `json:"at"`
	Group      string          `json:"group"`
	State      string          `json:"state"`
	Members    int             `json:"members"`
	Topic      *string         `json:"topic"`
	Lag        *int64          `json:"lag"`
	LagSeconds *float64        `json:"lag_seconds"`
	Oldest     *time.Time      `json:"oldest"`
	KeptUntil  *time.Time      `json:"kept_until"`
	Lost       int64           `json:"lost"`
	Mark       string          `json:"mark"`
	Notes      []string        `json:"notes"`
	Partitions []partitionJSON `json:"partitions"`
}

type partitionJSON struct {
	Partition     int32      `json:"partition"`
	ClientID      *string    `json:"client_id"`
	Host          *string    `json:"host"`
	Committed     *int64     `json:"committed"`
	Start         *int64     `json:"start"`
	End           *int64     `json:"end"`
	HighWatermark *int64     `json:"high_watermark"`
	Lag           *int64     `json:"lag"`
	Oldest        *time.Time `json:"oldest"`
	Lost          int64      `json:"lost"`
	Problem       *string    `json:"problem"`
}

var markWords = map[lag.Mark]string{lag.Fine: "fine", lag.Late: "late", lag.Bad: "bad"}

// encode writes one object for each group and topic.
func (v *view) encode(s *lag.Snapshot) error {
	var list []rowJSON
	for _, r := range s.Rows() {
		list = append(list, rowObject(&r, s.At))
	}
	out := bufio.NewWriter(v.g.IO.Out)
	return cmp.Or(base.EncodeAll(out, list), out.Flush())
}

func rowObject(r *lag.Row, at time.Time) rowJSON {
	o := rowJSON{
		At: at.UTC(), Group: r.Group.Name, State: r.Group.State, Members: r.Group.Members,
		Mark: markWords[r.Mark], Notes: append([]string{}, r.Notes...), Partitions: []partitionJSON{},
	}
	if r.Topic == nil {
		return o
	}
	o.Topic = &r.Topic.Name
	if r.Topic.Err != nil {
		return o
	}
	o.Lag, o.Lost, o.Oldest, o.KeptUntil = &r.Waiting, r.Lost, base.OptionalTime(r.Oldest), base.OptionalTime(r.KeptUntil)
	if r.Aged {
		seconds := 0.0
		if !r.Oldest.IsZero() {
			seconds = max(at.Sub(r.Oldest).Seconds(), 0)
		}
		o.LagSeconds = &seconds
	}
	for i := range r.Topic.Partitions {
		o.Partitions = append(o.Partitions, partitionObject(&r.Topic.Partitions[i]))
	}
	return o
}

func partitionObject(p *lag.Partition) partitionJSON {
	o := partitionJSON{Partition: p.ID, Oldest: base.OptionalTime(p.Oldest), Lost: p.Lost}
	if !p.Unowned() {
		o.ClientID, o.Host = &p.ClientID, &p.Host
	}
	if p.Committed >= 0 {
		o.Committed = &p.Committed
	}
	problem := p.Unread
	if p.Err == nil {
		o.Start, o.End, o.HighWatermark, o.Lag = &p.Start, &p.End, &p.HighWatermark, &p.Waiting
	} else {
		problem = p.Err
	}
	if problem != nil {
		text := problem.Error()
		o.Problem = &text
	}
	return o
}
