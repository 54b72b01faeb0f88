package oracle

import (
	"maps"
	"slices"
)

func (j *Judge) assigned(o owned) {
	j.joined[o] = j.delivered[sender{o.by, o.partition.topic}].n
	if j.since[o] == 0 {
		j.since[o] = j.n + 1
	} else {
		j.regained[o] = true
	}
	for _, r := range j.records[o.partition] {
		if r != nil && r.flying[o.by] > 0 {
			r.item.stray = true
		}
	}
}

// left: deliveries of the owner that no commit covers may be duplicated. Their
// number is bounded.
func (j *Judge) left(h Happening) {
	o := owned{h.By, h.Place.partition()}
	c := j.commits[member{h.Group, o.partition}]
	settled := 0
	for _, offset := range slices.Sorted(maps.Keys(j.touched[o])) {
		if c.covers(offset) {
			continue
		}
		r := j.at(o.partition, offset)
		if r == nil {
			continue
		}
		r.item.permits++
		if !j.touched[o][offset] {
			settled++
		}
	}
	delete(j.touched, o)
	j.stale[o] = settled
	if settled > j.limits.Uncommitted {
		j.fault("bounded duplicates", "%d deliveries of %s were settled by %d and not committed when it ended; %d are allowed",
			settled, o.partition, h.By, j.limits.Uncommitted)
	}
	m := member{h.Group, o.partition}
	if j.owners[m] == h.By {
		delete(j.owners, m)
	}
}

// touch notes that the owner works on a record; flying: it has no outcome yet.
func (j *Judge) touch(h Happening, flying bool) {
	o := owned{h.By, h.Place.partition()}
	if j.owners[member{h.Group, o.partition}] != h.By {
		j.late(o, h, flying)
		return
	}
	if j.touched[o] == nil {
		j.touched[o] = make(map[int64]bool)
	}
	j.touched[o][h.Place.Offset] = flying
}

// late: a former owner that does not know it yet, or was sending when it lost the
// partition, may cause as many duplicates as a crash.
func (j *Judge) late(o owned, h Happening, flying bool) {
	r := j.at(o.partition, h.Place.Offset)
	if flying {
		r.item.permits++
		return
	}
	j.stale[o]++
	if j.stale[o] > j.limits.Uncommitted && o.by != 0 {
		j.fault("bounded duplicates", "%d, which no longer owns %s, has settled %d deliveries since its last commit; %d are allowed",
			o.by, o.partition, j.stale[o], j.limits.Uncommitted)
	}
}

// started: in its lane, all before it must have their outcomes.
func (j *Judge) started(h Happening) {
	r := j.at(h.Place.partition(), h.Place.Offset)
	if r == nil || r.item.id != h.ID {
		j.fault("ids", "%d sends %s, which is not at %s", h.By, h.ID, h.Place)
		return
	}
	r.flying[h.By]++
	j.touch(h, true)
	if _, tried := r.item.witness[h.By]; !tried {
		r.item.witness[h.By] = j.delivered[sender{h.By, h.Place.Topic}].until(h.At)
		if len(r.item.witness) > 1 { // its first attempt was a former owner's: what this one delivers counts from its assignment on
			r.item.witness[h.By] = j.joined[owned{h.By, h.Place.partition()}]
		}
	}
	if it := r.item; !it.mayComeAgain(it.delivered) {
		j.fault("duplicates", "%s at %s was delivered %d times and is sent again; %d duplicates were unavoidable", h.ID, h.Place, it.delivered, it.permits+it.unclear)
	}
	if r.moved && r.item.permits+r.item.unclear == 0 {
		j.fault("moves", "%s at %s is sent although it was moved to another channel", h.ID, h.Place)
	}
	j.inTurn(r, h, "sent")
}

func (j *Judge) answered(h Happening) {
	r := j.at(h.Place.partition(), h.Place.Offset)
	if r == nil {
		return
	}
	r.flying[h.By]--
	it := r.item
	it.answers[h.By] = append(it.answers[h.By], h.Result)
	switch h.Result {
	case Unclear:
		it.unclear++
	case Delivered, Partly, Deferred:
		it.delivered++
		it.partly = it.partly || h.Result != Delivered
		if h.Result == Deferred {
			it.deferredBy = append(it.deferredBy, h.By)
		}
		it.whole = it.whole || h.Result == Delivered
		it.by, it.when = h.By, j.n
		it.byOwner = j.owners[member{h.Group, h.Place.partition()}] == h.By
		s := sender{h.By, h.Place.Topic}
		j.delivered[s] = j.delivered[s].one(h.At)
		if it.policy.Key != "" && it.entry == "" {
			k := h.Place.Topic + " " + it.policy.Key
			j.sent[k] = append(j.sent[k], h)
		}
		if !it.mayComeAgain(it.delivered - 1) {
			j.fault("duplicates", "%s was delivered %d times; %d duplicates were unavoidable", h.ID, it.delivered, it.permits+it.unclear)
		}
		if h.Result == Delivered && !it.stray { // else some recipients are left, and it is under way
			j.touch(h, false)
		}
	}
}
