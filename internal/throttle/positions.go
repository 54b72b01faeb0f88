package throttle

import "slices"

// Place is where a delivery stands: in a partition of an outbox, which its topic's id names.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Positions are, for each partition of one outbox, the last offset that something is
// known of. A key has one lane in each, so all before it are known as well.
type Positions struct {
	topic string // its id; positions in a former topic mean nothing
	last  []position
}

type position struct {
	partition int32
	offset    int64
}

// pass notes a place and reports whether it is beyond the last one.
func (p *Positions) pass(at Place) bool {
	if p.topic != at.Topic {
		p.topic, p.last = at.Topic, nil
	}
	for i := range p.last {
		if last := &p.last[i]; last.partition == at.Partition {
			if at.Offset <= last.offset {
				return false
			}
			last.offset = at.Offset
			return true
		}
	}
	p.last = append(p.last, position{at.Partition, at.Offset})
	return true
}

// beyond reports whether something is known here of which the other does not know, in the same
// outbox.
func (p *Positions) beyond(other *Positions) bool {
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

// Holds reports whether something is known of a partition of an outbox.
func (p *Positions) Holds(topic string, partition int32) bool {
	return p.topic == topic && slices.ContainsFunc(p.last, func(o position) bool { return o.partition == partition })
}

// Covers reports whether a place is not beyond the last one.
func (p *Positions) Covers(at Place) bool {
	return p.topic == at.Topic && slices.ContainsFunc(p.last, func(o position) bool { return o.partition == at.Partition && o.offset >= at.Offset })
}
