package dlq

import (
	"cmp"
	"slices"
)

// orderLanes keeps the places that each lane has in the log and gives them to
// its entries in the order of their source offsets. So a run goes in the order
// of the dead-letter log, and no entry of a channel overtakes an earlier one
// of its source partition, even where the later one failed first.
func (p *Plan) orderLanes() {
	numbers := make(map[lane]uint32)
	of := make([]uint32, len(p.routes)) // lane by route
	for i, r := range p.routes {
		n, ok := numbers[r.lane]
		if !ok {
			n = uint32(len(numbers))
			numbers[r.lane] = n
		}
		of[i] = n
	}
	// places holds every lane's places in p.order, one lane after the other.
	ends := make([]uint32, len(numbers)+1)
	for i := range p.items.n {
		ends[of[p.items.at(uint32(i)).route]+1]++
	}
	for l := range len(numbers) {
		ends[l+1] += ends[l]
	}
	next := slices.Clone(ends)
	places := make([]uint32, len(p.order))
	for place, i := range p.order {
		l := of[p.items.at(i).route]
		places[next[l]] = uint32(place)
		next[l]++
	}
	bySource := func(a, b uint32) int { // what is equal keeps the log's order: newest came first
		return cmp.Or(cmp.Compare(p.items.at(a).source, p.items.at(b).source), cmp.Compare(b, a))
	}
	var inLane []uint32
	for l := range len(numbers) {
		mine := places[ends[l]:ends[l+1]]
		inLane = inLane[:0]
		for _, place := range mine {
			inLane = append(inLane, p.order[place])
		}
		if slices.IsSortedFunc(inLane, bySource) {
			continue
		}
		slices.SortFunc(inLane, bySource)
		for k, place := range mine {
			p.order[place] = inLane[k]
		}
	}
}
