package oracle

import (
	"fmt"
	"slices"
)

func (j *Judge) entered(h Happening) {
	if digest, known := j.events[h.From]; !known || digest != h.Digest {
		j.fault("dead letters", "%s at %s is not, byte for byte, the record at %s", h.ID, h.Place, h.From)
	}
	l := j.dead[h.ID]
	if l == nil {
		l = &deadLetter{from: h.From, topic: h.Place.Topic}
		j.dead[h.ID] = l
	}
	if l.from != h.From {
		j.fault("dead letters", "id %s denotes the records at %s and at %s", h.ID, l.from, h.From)
	}
	l.last, l.open, l.when, l.byOwner = h.Place.Offset, true, j.n, true
	l.written = append(l.written, version{h.Place.Offset, j.n})
	if h.Result == Unmatched {
		return
	}
	// of which delivery, or of which replay of it
	it := j.items[h.ID]
	if h.Version > 0 {
		it = j.items[fmt.Sprintf("%s@%d", h.ID, h.Version-1)]
	}
	if it == nil {
		j.fault("dead letters", "%s at %s is of no delivery", h.ID, h.Place)
		return
	}
	l.item, l.byOwner = it, j.owners[member{h.Group, it.queued.Place.partition()}] == h.By
	why := ""
	switch {
	case h.Result == Exhausted && j.delivered[sender{h.By, it.queued.Place.Topic}].n <= it.witness[h.By]:
		why = "nothing else was delivered meanwhile"
	case h.Result == Unconfirmed && it.unclear == 0:
		why = "no answer was unclear"
	case h.Result == Refused && !slices.Contains(it.answers[h.By], Refused) && !it.partly:
		why = fmt.Sprintf("no attempt was refused: the answers were %v", it.answers[h.By])
	case h.Result != Unconfirmed && !it.mayComeAgain(it.delivered):
		why = "it was delivered"
	}
	if why != "" {
		j.fault("dead letters", "%s at %s as %s, although %s", h.ID, h.Place, h.Result, why)
	}
}

// closed: we close what was delivered, or sent through the rules again.
func (j *Judge) closed(h Happening) {
	l := j.dead[h.ID]
	if l == nil {
		return
	}
	if l.item != nil && h.By != 0 && !j.anyDelivered(h.ID) {
		j.fault("dead letters", "%d closes %s at %s, which was not delivered", h.By, h.ID, h.Place)
	}
	l.last, l.open, l.when = h.Place.Offset, false, j.n
	l.written = append(l.written, version{h.Place.Offset, j.n})
}

// anyDelivered reports whether a delivery, or a replay of it, may have been
// delivered.
func (j *Judge) anyDelivered(id string) bool {
	for _, it := range j.items {
		if it.base() == id && it.delivered+it.unclear > 0 {
			return true
		}
	}
	return false
}

// replayed: a replay is of the last version of its entry when its sender took over,
// or of a later one.
func (j *Judge) replayed(h Happening) {
	l := j.dead[h.Entry]
	if h.Entry == "" || l == nil || j.requests[h.From] == nil {
		return
	}
	for _, v := range l.written {
		if v.offset > h.Version && v.when < j.since[owned{h.By, h.From.partition()}] {
			j.fault("replays", "%d sends version %d of %s again, which had a later one when it took over", h.By, h.Version, h.Entry)
			return
		}
	}
}
