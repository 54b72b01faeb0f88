package webhook

import (
	"time"

	"github.com/algotrade/notifier/internal/channel"
)

// digest is the JSON of what a message says of several alerts; the payload beside it
// is the most severe of them, the newest of these.
type digest struct {
	Group  []string  `json:"group"`  // null: of several groups
	Groups int       `json:"groups"` // how many
	Alerts int       `json:"alerts"` // since first
	New    int       `json:"new"`    // of them, not in an earlier message
	First  time.Time `json:"first"`  // event times
	Last   time.Time `json:"last"`
	Items  []item    `json:"items"` // some of the new ones, the most severe first
}

type item struct {
	ID        string    `json:"id"`
	Rule      string    `json:"rule"`
	Severity  string    `json:"severity"`
	State     string    `json:"state"`
	Key       []string  `json:"key"`
	Title     string    `json:"title"`
	EventTime time.Time `json:"event_time"`
}

func newDigest(d *channel.Digest) *digest {
	p := &digest{
		Group: d.Group, Groups: d.Groups, Alerts: d.Alerts, New: d.New, First: d.First.UTC(), Last: d.Last.UTC(), Items: make([]item, len(d.Items)),
	}
	for i, a := range d.Items {
		p.Items[i] = item{ID: a.ID, Rule: a.Rule, Severity: string(a.Severity), State: state(a.State), Key: a.Key, Title: a.Title.String(), EventTime: a.EventTime.UTC()}
	}
	return p
}
