package dlq

import "strings"

// pages is a list of items that grows without ever being copied: a slice of a
// million would be held twice while it grows.
type pages struct {
	n    int
	list [][]item
}

const pageSize = 4096

func (p *pages) add(it item) {
	if p.n%pageSize == 0 {
		p.list = append(p.list, make([]item, 0, pageSize))
	}
	last := &p.list[len(p.list)-1]
	*last = append(*last, it)
	p.n++
}

func (p *pages) at(i uint32) *item { return &p.list[i/pageSize][i%pageSize] }

// names keeps short strings side by side: one of 29 bytes alone takes 32 and
// holds up the collector.
type names struct{ b *strings.Builder }

const namesSize = 64 << 10

// keep returns a string equal to s that holds on to nothing but its block.
func (n *names) keep(s string) string {
	if len(s) > namesSize/16 {
		return strings.Clone(s)
	}
	if n.b == nil || n.b.Len()+len(s) > n.b.Cap() {
		n.b = new(strings.Builder) // the strings of the old one share its memory
		n.b.Grow(namesSize)
	}
	from := n.b.Len()
	n.b.WriteString(s)
	return n.b.String()[from:]
}
