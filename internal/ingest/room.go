package ingest

import (
	"sync"

	"github.com/algotrade/notifier/internal/consume"
)

// room counts what all partitions of a process have raised that is not committed. All
// of it may go to one outbox partition, and is written there again after a crash.
type room struct {
	mu     sync.Mutex
	raised map[*consume.Partition]int // that is not settled; beside it counts Partition.Uncommitted
}

// set sets how much a partition has raised that is not settled.
func (r *room) set(p *consume.Partition, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.raised == nil {
		r.raised = make(map[*consume.Partition]int)
	}
	r.raised[p] = n
}

// taken returns how much is raised and not committed, and forgets partitions without any.
func (r *room) taken() (sum int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, n := range r.raised {
		if n += p.Uncommitted(); n == 0 {
			delete(r.raised, p)
		}
		sum += n
	}
	return sum
}
