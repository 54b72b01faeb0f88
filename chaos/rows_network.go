package main

import (
	"context"
	"errors"
	"slices"
	"time"
)

// networkRows cut, slow down and swallow what goes between daemon and brokers.
func networkRows() []*row {
	return []*row{
		{
			name: "cut-all", what: "the network to all brokers: refused and closed for 10 s, three times", short: true, static: true,
			during: func(ctx context.Context, s *scene) error {
				return s.again(ctx, rounds(s, 3), func() error { return s.cut(ctx, s.cluster.proxy[:], 10*time.Second) })
			},
		},
		{
			name: "cut-one", what: "the network to one broker after the other, 15 s each", static: true,
			during: func(ctx context.Context, s *scene) error {
				for i := range nodes {
					if err := s.cut(ctx, s.cluster.proxy[i:i+1], 15*time.Second); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "flapping", what: "the network to all brokers: cut for half a second every two seconds", static: true,
			during: func(ctx context.Context, s *scene) error {
				return s.again(ctx, 10, func() error {
					return errors.Join(s.cut(ctx, s.cluster.proxy[:], 500*time.Millisecond), pause(ctx, 1500*time.Millisecond))
				})
			},
		},
		{
			name: "delay", what: "every answer of the brokers takes 200 ± 100 ms more", static: true,
			during: func(ctx context.Context, s *scene) error {
				return s.poisonous(ctx, s.cluster.proxy[:], seconds(s, 30, 5), toxic{"latency", downstream, map[string]int{"latency": 200, "jitter": 100}})
			},
		},
		{
			name: "half-open", what: "connections to all brokers stay open and swallow what is sent, for 15 s", short: true, static: true,
			during: func(ctx context.Context, s *scene) error {
				return s.poisonous(ctx, s.cluster.proxy[:], 15*time.Second,
					toxic{"timeout", upstream, map[string]int{"timeout": 0}}, toxic{"timeout", downstream, map[string]int{"timeout": 0}})
			},
		},
		{
			name: "half-open-answers", what: "requests to all brokers arrive, their answers do not, for 15 s", static: true,
			during: func(ctx context.Context, s *scene) error {
				return s.poisonous(ctx, s.cluster.proxy[:], 15*time.Second, toxic{"timeout", downstream, map[string]int{"timeout": 0}})
			},
		},
		{
			name: "half-open-one", what: "the same of one broker after the other, 20 s each", static: true,
			during: func(ctx context.Context, s *scene) error {
				for i := range nodes {
					err := s.poisonous(ctx, s.cluster.proxy[i:i+1], 20*time.Second, toxic{"timeout", downstream, map[string]int{"timeout": 0}})
					if err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			name: "bandwidth", what: "20 kB/s on each connection to the brokers, both ways", static: true,
			during: func(ctx context.Context, s *scene) error {
				return s.poisonous(ctx, s.cluster.proxy[:], 30*time.Second,
					toxic{"bandwidth", upstream, map[string]int{"rate": 20}}, toxic{"bandwidth", downstream, map[string]int{"rate": 20}})
			},
		},
		{
			name: "torn", what: "connections to the brokers break in the middle of requests and answers: each after 100 kB", static: true,
			during: func(ctx context.Context, s *scene) error {
				return s.poisonous(ctx, s.cluster.proxy[:], 20*time.Second,
					toxic{"limit_data", upstream, map[string]int{"bytes": 100_000}}, toxic{"limit_data", downstream, map[string]int{"bytes": 100_000}})
			},
		},
	}
}

func rounds(s *scene, n int) int {
	if s.short {
		return 1
	}
	return n
}

// again does something several times, with a few seconds between.
func (s *scene) again(ctx context.Context, times int, f func() error) error {
	for i := range times {
		if i > 0 {
			if err := pause(ctx, 3*time.Second); err != nil {
				return err
			}
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// cut closes every connection through these proxies and refuses new ones for
// a while.
func (s *scene) cut(ctx context.Context, proxies []*proxy, d time.Duration) error {
	for _, p := range proxies {
		p.cut()
	}
	err := pause(ctx, d)
	for _, p := range proxies {
		err = errors.Join(err, p.restore())
	}
	s.reachable(proxies)
	return err
}

// reachable enters the end of a fault in which members lose their partitions. They say so
// themselves, but their log leaves out what it said within the last minute.
func (s *scene) reachable(proxies []*proxy) {
	if slices.Contains(s.cluster.proxy[:], proxies[0]) {
		s.ledger.disturb("brokers can be reached again", 100*time.Millisecond)
	}
}

type toxic struct {
	kind, stream string
	attributes   map[string]int
}

// poisonous has these proxies do something to their connections for a while.
func (s *scene) poisonous(ctx context.Context, proxies []*proxy, d time.Duration, list ...toxic) error {
	for _, p := range proxies {
		for _, t := range list {
			if err := p.add(t.kind, t.stream, 1, t.attributes); err != nil {
				return err
			}
		}
	}
	err := pause(ctx, d)
	for _, p := range proxies {
		p.reset(context.Background())
	}
	if list[0].kind == "timeout" {
		s.reachable(proxies)
	}
	return err
}
