package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// Plan is the entries to replay, in order. An entry takes about 90 bytes. Entries are
// added newest first, as Each gives them; after Close the plan can be carried out.
type Plan struct {
	Options Options
	// Stats counts the entries to send.
	Stats dlq.Stats
	// LeftOut counts the selected entries that are not sent.
	LeftOut map[Left]int
	// Oldest and Newest are the earliest and latest last failure of those to send.
	Oldest, Newest time.Time

	items  []item // after Close in the order of sending
	routes map[route]*route
}

// item is an entry to send.
type item struct {
	id      string
	version int64
	source  int64 // offset in the source partition
	route   *route
}

// NewPlan returns a plan without entries.
func NewPlan(o Options) *Plan {
	return &Plan{Options: o, LeftOut: make(map[Left]int), routes: make(map[route]*route)}
}

// Add adds an entry to the plan, or counts why it is not sent.
func (p *Plan) Add(e *dlq.Entry) {
	if why := p.Options.left(e); why != "" {
		p.LeftOut[why]++
		return
	}
	if p.Newest.Before(e.LastFailed) {
		p.Newest = e.LastFailed
	}
	if p.Oldest.IsZero() || e.LastFailed.Before(p.Oldest) {
		p.Oldest = e.LastFailed
	}
	p.Stats.Add(e)
	r := p.Options.route(e)
	if p.routes[r] == nil {
		r.topic, r.channel = strings.Clone(r.topic), strings.Clone(r.channel)
		p.routes[r] = &r
	}
	p.items = append(p.items, item{strings.Clone(e.ID), e.Offset, e.Envelope.Source.Offset, p.routes[r]})
}

// Close orders the entries; none may be added after it. The order is that of the
// dead-letter log, but the entries of a lane take its places in the order of their
// source offsets, even if a later one failed first.
func (p *Plan) Close() {
	slices.Reverse(p.items)
	places := make(map[lane][]int)
	for i, it := range p.items {
		places[it.route.lane] = append(places[it.route.lane], i)
	}
	for _, of := range places {
		ordered := make([]item, len(of))
		for i, place := range of {
			ordered[i] = p.items[place]
		}
		slices.SortStableFunc(ordered, func(a, b item) int { return cmp.Compare(a.source, b.source) })
		for i, place := range of {
			p.items[place] = ordered[i]
		}
	}
}

// Len returns how many entries are to be sent.
func (p *Plan) Len() int { return len(p.items) }

// Left returns how many are left out.
func (p *Plan) Left() int {
	n := 0
	for _, c := range p.LeftOut {
		n += c
	}
	return n
}

// Destination is how many entries go to a channel.
type Destination struct {
	Channel string // "": the rules decide
	// Rematch: deliveries that go through their rule again. Rules: records that failed
	// before their rules ran.
	Rematch, Rules bool
	Count          int
}

// Destinations returns the destinations, those with most entries first.
func (p *Plan) Destinations() []Destination {
	counts := make(map[Destination]int)
	for _, it := range p.items {
		counts[Destination{Channel: it.route.channel, Rematch: it.route.rematch, Rules: it.route.rules}]++
	}
	var all []Destination
	for d, n := range counts {
		d.Count = n
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Destination) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	return all
}

// request returns the request at a place in the order of sending.
func (p *Plan) request(place int) *Request {
	it := &p.items[place]
	to := it.route
	return &Request{
		Entry: it.id, Source: topics.Name(to.topic), Version: it.version, Channel: to.channel,
		Rematch: to.rematch, To: to.to, Force: p.Options.Force, Edited: p.Options.Edited,
		By: p.Options.By, Comment: p.Options.Comment, Run: p.Options.Run, Total: p.Len(),
	}
}
