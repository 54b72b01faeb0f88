package dispatch

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// laneList is the lanes of a heap. Each lane knows its index there.
type laneList []*lane

func (h laneList) Len() int { return len(h) }
func (h laneList) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *laneList) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *laneList) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.index = -1
	return l
}

// laneHeap orders waiting lanes by when they are due.
type laneHeap struct{ laneList }

// Less implements heap.Interface.
func (h *laneHeap) Less(i, j int) bool { return byDue(h.laneList[i], h.laneList[j]) < 0 }

func (h *laneHeap) wait(l *lane, due time.Time, w wait) {
	l.state, l.due, l.wait = waiting, due, w
	heap.Push(h, l)
}

func (h *laneHeap) remove(l *lane) { heap.Remove(h, l.index) }

func byDue(a, b *lane) int {
	if d := a.due.Compare(b.due); d != 0 {
		return d
	}
	return cmp.Compare(a.number, b.number)
}

// sorted returns the waiting lanes, the next one due first.
func (h *laneHeap) sorted() []*lane {
	lanes := slices.Clone(h.laneList)
	slices.SortFunc(lanes, byDue)
	return lanes
}

func (h *laneHeap) first() *lane {
	if h.Len() == 0 {
		return nil
	}
	return h.laneList[0]
}

// due takes out a lane whose wait is over.
func (h *laneHeap) due(now time.Time) *lane {
	if l := h.first(); l != nil && !l.due.After(now) {
		return heap.Pop(h).(*lane)
	}
	return nil
}
