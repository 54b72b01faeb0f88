package dlq

import (
	"context"
	"errors"
)

// The sizes of blocks that are read backwards: the first is small, so that its
// records can be shown at once, the others grow to what one read carries well.
const (
	firstBlock = 500       // records
	blockBytes = 2 << 20   // aimed at
	blockLimit = 64 << 20  // never more in memory, but for a single record
	readBytes  = 1 << 20   // of one request
	maxBlock   = 1_000_000 // records
)

// backwards goes through a span from its end to its start, in blocks. Its
// records are in the order of the log within a block, and the blocks come the
// newest first. The next block is read while one is worked on.
func (l *Log) backwards(ctx context.Context, s Span) *blocks {
	ctx, cancel := context.WithCancel(ctx)
	b := &blocks{next: make(chan block, 1), cancel: cancel}
	go func() {
		defer close(b.next)
		hi, n := s.End, int64(firstBlock)
		for hi > s.Start {
			lo := max(s.Start, hi-n)
			list, bytes, err := l.block(ctx, s, lo, hi)
			if errors.Is(err, errBlockTooLarge) && n > 1 {
				n = max(1, n/8)
				continue
			}
			select {
			case b.next <- block{list, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			// As many as blockBytes hold of what these were like.
			if bytes > 0 {
				n = min(n*4, max(1, (hi-lo)*blockBytes/int64(bytes)), maxBlock)
			}
			hi = lo
		}
	}()
	return b
}

var errBlockTooLarge = errors.New("block too large")

// block reads [lo, hi) whole.
func (l *Log) block(ctx context.Context, s Span, lo, hi int64) (list []raw, bytes int, err error) {
	for at := lo; at < hi; {
		some, next, err := l.read(ctx, s.Topic, s.Partition, at, readBytes)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range some {
			if r.offset >= hi {
				return list, bytes, nil
			}
			list = append(list, r)
			bytes += len(r.key) + len(r.value) + len(r.headers) + 128
		}
		if bytes > blockLimit && hi-lo > 1 {
			return nil, 0, errBlockTooLarge
		}
		if next <= at { // nothing more: the rest was compacted away
			break
		}
		at = next
	}
	return list, bytes, nil
}

type block struct {
	records []raw
	err     error
}

type blocks struct {
	next   chan block // size 1: one is read while one is worked on
	cancel context.CancelFunc
}

// close ends the reading and waits for it.
func (b *blocks) close() {
	b.cancel()
	for range b.next { // until it is closed
	}
}
