package oracle

import (
	"slices"
)

// claimed: an owner never requests a lower commit than before, and everything that
// it requests to commit is settled, whether the commit takes effect or not. Of a
// former owner only the first is checked: its commits cannot take effect, and may be
// from before an operator's reset.
func (j *Judge) claimed(h Happening) {
	m := member{h.Group, h.Place.partition()}
	for _, c := range j.claims[m] {
		if cut, told := j.cuts[m]; c.by == h.By && c.offset > h.Place.Offset && !c.cut && (!told || h.Place.Offset < cut) {
			j.fault("commits", "%d asks to commit %s after %d", h.By, h.Place, c.offset)
			break
		}
	}
	j.claims[m] = append(j.claims[m], claim{by: h.By, offset: h.Place.Offset, above: h.Above, when: j.n})
	if j.owners[m] == h.By {
		j.finished(h, j.commits[m])
	}
}

// askedFor returns when a commit that takes effect was asked for, the first
// time and the last; -1: it is not known.
func (j *Judge) askedFor(m member, h Happening) (first, last int) {
	first, last = -1, -1
	for _, c := range j.claims[m] {
		if c.by != h.By || c.offset != h.Place.Offset || !slices.Equal(c.above, h.Above) {
			continue
		}
		if last = c.when; first < 0 {
			first = c.when
		}
	}
	return first, last
}

func (j *Judge) committed(h Happening) {
	m := member{h.Group, h.Place.partition()}
	if by := j.owners[m]; by != h.By {
		j.fault("ownership", "%d commits %s, which %d owns", h.By, h.Place, by)
	}
	old, known := j.commits[m]
	first, last := j.askedFor(m, h)
	late := first >= 0 && first < old.when
	c := commit{h.Place.Offset, h.Above, last}
	if cut, told := j.cuts[m]; known && c.offset < old.offset && !late && (!told || c.offset < cut) {
		j.fault("commits", "%d commits %s after %d", h.By, h.Place, old.offset)
	}
	if late {
		j.reordered(m, old, c)
	} else if cut, told := j.cuts[m]; told && c.offset <= cut && c.offset < old.offset { // until it goes back, what was read before is still committed
		delete(j.cuts, m)
		j.forgetClaims(m)
	}
	j.commits[m] = c
	j.finished(h, old)
	if j.records[m.partition] != nil {
		j.untouched(h, c)
	} else {
		j.promise(h, old, m)
	}
	if h.Bare {
		o := owned{h.By, m.partition}
		for offset, flying := range j.touched[o] {
			if r := j.at(m.partition, offset); !flying && r != nil {
				r.item.permits++
				delete(j.touched[o], offset)
			}
		}
		for _, r := range j.records[m.partition] {
			if r == nil {
				continue
			}
			r.bare = true
			if forgotten := old.covers(r.Place.Offset) && !c.covers(r.Place.Offset); forgotten || r.duplicate && r.Place.Offset >= h.Place.Offset {
				r.item.permits++
			}
		}
	}
	j.high[m] = max(j.high[m], h.Place.Offset)
}

// reordered: a commit that the brokers carry out after a later one of the same owner
// undoes that one, and what only the later one said is lost.
func (j *Judge) reordered(m member, old, c commit) {
	for _, r := range j.records[m.partition] {
		if r != nil && old.covers(r.Place.Offset) && !c.covers(r.Place.Offset) {
			r.item.permits++
		}
	}
}

// cut: the records above are gone, as far as the owner can know; if they are still
// there, it reads them again.
func (j *Judge) cut(h Happening) {
	m := member{h.Group, h.Place.partition()}
	if at, told := j.cuts[m]; !told || h.Place.Offset < at {
		j.cuts[m] = h.Place.Offset
	}
	j.forgetClaims(m)
	for _, r := range j.records[m.partition] {
		if r != nil && r.Place.Offset >= h.Place.Offset {
			r.item.permits++
		}
	}
}

// forgetClaims: what was asked for before a log was cut off is no measure.
func (j *Judge) forgetClaims(m member) {
	for i := range j.claims[m] {
		j.claims[m][i].cut = true
	}
}

// finished: what a commit says is settled must be.
func (j *Judge) finished(h Happening, old commit) {
	m := member{h.Group, h.Place.partition()}
	if rs := j.records[m.partition]; rs != nil {
		j.outboxFinished(h, old, rs)
	} else {
		j.inputFinished(h, old, m)
	}
}

func (j *Judge) outboxFinished(h Happening, old commit, rs []*record) {
	c := commit{offset: h.Place.Offset, above: h.Above}
	for offset, r := range rs {
		if r == nil || !c.covers(int64(offset)) || old.covers(int64(offset)) || r.duplicate || r.moved || j.ended(r.item, h) {
			continue
		}
		j.fault("commits", "%d commits %s, past %s at %d, which is not settled", h.By, h.Place, r.item.id, offset)
	}
}

// untouched: the next owner does not send again what a commit covers.
func (j *Judge) untouched(h Happening, c commit) {
	touched := j.touched[owned{h.By, h.Place.partition()}]
	for offset := range touched {
		if c.covers(offset) {
			delete(touched, offset)
		}
	}
}

// inputFinished: everything that the records below a commit have raised is in
// outboxes or among the dead letters.
func (j *Judge) inputFinished(h Happening, old commit, m member) {
	for offset := old.offset; offset < h.Place.Offset; offset++ {
		at := h.Place
		at.Offset = offset
		if q := j.requests[at]; q != nil {
			if l := j.dead[q.Entry]; l != nil && l.last == q.Version && l.open {
				j.fault("replays", "%d commits %s, past the request at %d for version %d of %s, which nothing came of", h.By, h.Place, offset, q.Version, q.Entry)
			}
			continue
		}
		if _, there := j.events[at]; !there {
			continue
		}
		w, done := j.work[owned{h.By, m.partition}][offset]
		if !done {
			j.fault("commits", "%d commits %s, past the event at %d, which it has not worked through", h.By, h.Place, offset)
			continue
		}
		if w.Entry != "" && j.dead[w.Entry] == nil {
			j.fault("commits", "%d commits %s, past the event at %d, whose dead letter was not written", h.By, h.Place, offset)
		}
		for _, id := range w.IDs {
			if j.items[id] == nil && j.dead[id] == nil {
				j.fault("commits", "%d commits %s, past the event at %d, whose alert %s is in no outbox", h.By, h.Place, offset, id)
			}
		}
	}
}

// promise: once it is committed, what an event has raised is promised.
func (j *Judge) promise(h Happening, old commit, m member) {
	for offset := max(old.offset, j.high[m]); offset < h.Place.Offset; offset++ {
		for _, id := range j.work[owned{h.By, m.partition}][offset].IDs {
			if it := j.items[id]; it != nil {
				it.promised = true
			}
		}
	}
}

// reset: what is above the new offset may be sent again. Of a source it is dropped
// as a duplicate; the dedup state of an outbox is lost with the commit.
func (j *Judge) reset(h Happening) {
	m := member{h.Group, h.Place.partition()}
	j.commits[m] = commit{offset: h.Place.Offset}
	for _, r := range j.records[m.partition] {
		if r == nil {
			continue
		}
		r.bare = true
		if r.Place.Offset >= h.Place.Offset {
			r.item.permits++
		}
	}
}
