package oracle

import (
	"slices"
)

func (j *Judge) queued(h Happening) {
	it := j.items[h.ID]
	if it == nil {
		it = &item{id: h.ID, entry: h.Entry, version: h.Version, policy: h.Policy, queued: h, sends: sends{witness: make(map[int]int), answers: make(map[int][]Result)}}
		j.items[h.ID] = it
	}
	r := &record{Happening: h, item: it, flying: make(map[int]int), duplicate: it.records > 0}
	for m, high := range j.high {
		if m.partition == h.From.partition() && h.From.Offset < high {
			r.duplicate = true
		}
	}
	if it.records > 0 && !j.recognised(it, h) {
		it.permits++
		it.scattered = true
	}
	j.moved(it, h)
	if !r.duplicate {
		j.written(h)
	}
	it.records++
	j.replayed(h)
	p := h.Place.partition()
	for int64(len(j.records[p])) < h.Place.Offset { // compaction and transactions leave gaps
		j.records[p] = append(j.records[p], nil)
	}
	j.records[p] = append(j.records[p], r)
}

// written: what a process makes of an input comes into a lane in that order. One
// that has the input for the second time may have been late with the first.
func (j *Judge) written(h Happening) {
	w := writing{owned{h.By, h.From.partition()}, h.Place.partition(), h.Lane}
	if h.Lane == "" || h.Entry != "" || j.regained[w.input] || j.limits.overtaken(h) {
		return
	}
	if last, ok := j.newest[w]; ok && h.From.Offset < last {
		j.fault("order", "%s at %s is made of %s, and is behind what was made of offset %d", h.ID, h.Place, h.From, last)
	}
	j.newest[w] = max(j.newest[w], h.From.Offset)
}

// moved: a pending alert is delivered by the channel that it is moved to instead, in
// the order of its lane. What its own channel could not recognise as a duplicate may
// be delivered more than once.
func (j *Judge) moved(it *item, h Happening) {
	src := j.at(h.From.partition(), h.From.Offset)
	it.raised, it.came = it.raised || src == nil, it.came || src != nil
	if src == nil {
		return
	}
	if src.item.movedTo == it && src.item.permits > 0 {
		it.permits++
	}
	if o := (owned{h.By, h.From.partition()}); !j.owns(o) { // it does not know what the present owner has delivered
		src.item.permits++
		j.late(o, Happening{Place: h.From}, false)
	}
	if other := src.item.movedTo; other != nil && other != it {
		j.fault("moves", "%s at %s is moved to %s, and was to %s before", src.item.id, h.From, h.Place, other.id)
	}
	if !src.item.mayComeAgain(src.item.delivered) {
		j.fault("moves", "%s at %s is moved to %s, although it was delivered", src.item.id, h.From, h.Place)
	}
	if src.moved {
		return
	}
	j.inTurn(src, h, "moved to "+h.Place.Topic)
	src.moved = true
	if it == src.item { // a replayed dead letter
		return
	}
	// What had its outcome, and is read again since an operator set the offset back, is
	// recognised as a duplicate there.
	it.promised = it.promised || src.item.promised && !j.ended(src.item, h)
	src.item.movedTo = it
}

// inTurn: of its lane, all before it must have their outcomes, or be with some of
// their recipients and wait for others.
func (j *Judge) inTurn(r *record, h Happening, what string) {
	if r.Lane == "" {
		return
	}
	for _, before := range j.records[r.Place.partition()][:r.Place.Offset] {
		if before == nil || before.Lane != r.Lane || before.item == r.item || before.duplicate || before.moved || slices.Contains(before.item.deferredBy, h.By) || j.ended(before.item, h) {
			continue
		}
		j.fault("order", "%s at %s is %s before %s at %s of the same lane has its outcome", r.item.id, r.Place, what, before.item.id, before.Place)
	}
}

// recognised reports whether the reader of a partition can know that it had a
// delivery before: from the same input, since dedup state is per input.
func (j *Judge) recognised(it *item, h Happening) bool {
	return slices.ContainsFunc(j.records[h.Place.partition()], func(r *record) bool {
		return r != nil && r.item == it && !r.bare && r.From.partition() == h.From.partition()
	})
}

// ended reports whether a delivery has its outcome.
func (j *Judge) ended(it *item, now Happening) bool {
	if it.lost || it.movedTo != nil {
		return true
	}
	if it.entry != "" { // a replay ends when its entry has a later record
		l := j.dead[it.entry]
		if l == nil || l.last > it.version {
			return true
		}
		return it.entry != it.base() && (it.whole || j.dead[it.base()] != nil)
	}
	if it.whole || j.dead[it.id] != nil {
		return true
	}
	return j.suppressed(it, now)
}

// suppressed reports whether policy allows that it was never sent: it was too
// old by now, or another of its key was sent whose event is near to its own.
func (j *Judge) suppressed(it *item, now Happening) bool {
	p := it.policy
	if p.Expire > 0 && now.At-p.Event > p.Expire {
		return true
	}
	if p.Throttle == 0 {
		return false
	}
	return slices.ContainsFunc(j.sent[it.queued.Place.Topic+" "+p.Key], func(h Happening) bool {
		return h.ID != it.id && (j.items[h.ID].policy.Event-p.Event).Abs() < p.Throttle
	})
}
