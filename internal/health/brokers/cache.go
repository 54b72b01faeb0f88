package brokers

import (
	"context"
	"sync"
	"time"
)

// forgetAfter is how long an unused entry is kept.
const forgetAfter = 10 * time.Minute

// cache holds responses of the brokers by topic.
type cache[T any] struct {
	turn chan struct{} // size 1: full during a request

	mu    sync.Mutex
	facts map[string]fact[T]
}

// fact is a value and when it was requested.
type fact[T any] struct {
	value T
	at    time.Time
}

func newCache[T any]() *cache[T] {
	return &cache[T]{turn: make(chan struct{}, 1), facts: make(map[string]fact[T])}
}

// read returns the values of names and when the oldest was requested. If one is missing
// or as old as maxAge, it calls request; concurrent calls wait for the response.
func (c *cache[T]) read(ctx context.Context, maxAge time.Duration, names []string, request func(context.Context) (map[string]T, error)) (map[string]T, time.Time, error) {
	if found, at, ok := c.fresh(maxAge, names); ok {
		return found, at, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, time.Time{}, ctx.Err()
	}
	if found, at, ok := c.fresh(maxAge, names); ok {
		return found, at, nil
	}
	at := time.Now()
	responses, err := request(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, f := range c.facts {
		if at.Sub(f.at) > forgetAfter {
			delete(c.facts, name)
		}
	}
	for name, value := range responses {
		c.facts[name] = fact[T]{value, at}
	}
	return responses, at, nil
}

// fresh returns the values of names and the time of the oldest; false: one is missing or
// too old.
func (c *cache[T]) fresh(maxAge time.Duration, names []string) (found map[string]T, oldest time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found = make(map[string]T, len(names))
	for _, name := range names {
		f, ok := c.facts[name]
		if !ok || time.Since(f.at) >= maxAge {
			return nil, time.Time{}, false
		}
		found[name] = f.value
		if oldest.IsZero() || f.at.Before(oldest) {
			oldest = f.at
		}
	}
	return found, oldest, true
}
