package dlq

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// Plan is which entries are sent again and in which order. Of an entry it
// keeps what its request needs, about 75 bytes, so that a million fit.
//
// Entries are added newest first, as Reader.EachOf gives them; after Close the
// plan can be looked at and carried out.
type Plan struct {
	Replay Replay
	// Stats are those of the entries that are sent.
	Stats Stats
	// LeftOut counts the entries that were meant and are not sent.
	LeftOut map[Left]int
	// Oldest and Newest are when those failed last that are sent.
	Oldest, Newest time.Time

	items   pages
	order   []uint32 // items, in the order in which they are sent
	routes  []route
	routeOf map[route]uint32
	names   names
}

// item is an entry that is sent.
type item struct {
	id      string
	version int64
	source  int64 // offset in the source partition
	route   uint32
}

// NewPlan returns a plan without entries.
func NewPlan(r Replay) *Plan {
	return &Plan{Replay: r, LeftOut: make(map[Left]int), routeOf: make(map[route]uint32)}
}

// Add takes an entry that is meant into the plan, or counts why it is not sent.
func (p *Plan) Add(e *Entry) {
	if why := p.Replay.leaves(e); why != "" {
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
	p.items.add(item{id: p.names.keep(e.ID), version: e.Offset, source: e.Envelope.Source.Offset, route: p.routed(p.Replay.route(e))})
}

func (p *Plan) routed(r route) uint32 {
	n, ok := p.routeOf[r]
	if !ok {
		r.topic, r.channel = strings.Clone(r.topic), strings.Clone(r.channel)
		n = uint32(len(p.routes))
		p.routes = append(p.routes, r)
		p.routeOf[r] = n
	}
	return n
}

// Close puts the entries in order; none may be added after it.
func (p *Plan) Close() {
	p.order = make([]uint32, p.items.n)
	for at := range p.order { // they came newest first
		p.order[at] = uint32(p.items.n - 1 - at)
	}
	p.orderLanes()
	p.routeOf, p.names = nil, names{}
}

// Len returns how many entries are sent.
func (p *Plan) Len() int { return p.items.n }

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
	Channel string // "": through the rules, which say where to
	// Rematch is true for deliveries that go through their rule again, Rules
	// for records that no rule has seen.
	Rematch, Rules bool
	Count          int
}

// Destinations returns where the entries go, the most first.
func (p *Plan) Destinations() []Destination {
	counts := make([]int, len(p.routes))
	for i := range p.items.n {
		counts[p.items.at(uint32(i)).route]++
	}
	byWhere := make(map[Destination]int)
	for i, r := range p.routes {
		byWhere[Destination{Channel: r.channel, Rematch: r.rematch, Rules: r.rules}] += counts[i]
	}
	var all []Destination
	for d, n := range byWhere {
		d.Count = n
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Destination) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	return all
}

// request returns the request for an item.
func (p *Plan) request(i uint32) *Request {
	it := p.items.at(i)
	to := &p.routes[it.route]
	return &Request{
		Entry: it.id, Source: topics.Name(to.topic), Version: it.version, Channel: to.channel,
		Rematch: to.rematch, To: to.to, Force: p.Replay.Force, Edited: p.Replay.Edited,
		By: p.Replay.By, Comment: p.Replay.Comment, Run: p.Replay.Run, Total: p.Len(),
	}
}

// Requests calls f for every request in the order in which they are sent, until
// it returns false.
func (p *Plan) Requests(f func(*Request) bool) {
	for _, i := range p.order {
		if !f(p.request(i)) {
			return
		}
	}
}

// knows reports whether the plan has entries of a fingerprint.
func (p *Plan) knows(fingerprint string) bool {
	_, ok := p.Stats.groups[fingerprint]
	return ok
}
