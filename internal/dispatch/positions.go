package dispatch

import "slices"

// place is where a delivery stands: in a partition of an outbox, which its topic's id names.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// positions are, for each partition of one outbox, the last offset that something is
// known of. A key has one lane in each, so all before it are known as well.
type positions struct {
	topic string // its id; positions in a former topic mean nothing
	last  []position
}

type position struct {
	partition int32
	offset    int64
}

// pass notes a place and reports whether it is beyond the last one.
func (p *positions) pass(at place) bool {
	if p.topic != at.topic {
		p.topic, p.last = at.topic, nil
	}
	for i := range p.last {
		if last := &p.last[i]; last.partition == at.partition {
			if at.offset <= last.offset {
				return false
			}
			last.offset = at.offset
			return true
		}
	}
	p.last = append(p.last, position{at.partition, at.offset})
	return true
}

// beyond reports whether something is known here of which the other does not know, in the same
// outbox.
func (p *positions) beyond(other *positions) bool {
	if p.topic != other.topic {
		return false
	}
	for _, last := range p.last {
		if !slices.ContainsFunc(other.last, func(o position) bool { return o.partition == last.partition && o.offset >= last.offset }) {
			return true
		}
	}
	return false
}

// covers reports whether a place is not beyond the last one.
func (p *positions) covers(at place) bool {
	return p.topic == at.topic && slices.ContainsFunc(p.last, func(o position) bool { return o.partition == at.partition && o.offset >= at.offset })
}
