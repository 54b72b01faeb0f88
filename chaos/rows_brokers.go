package main

import (
	"context"
	"errors"
	"time"
)

// brokerRows restart brokers and kill them, one after the other.
func brokerRows() []*row {
	return []*row{
		{
			name: "broker-restart", what: "brokers, stopped and started one by one, each after the last is in sync again", static: true, replays: true,
			during: func(ctx context.Context, s *scene) error { return eachBroker(ctx, s, s.cluster.stopNode, 0) },
		},
		{
			name: "broker-kill", what: "brokers, by `kill -9` one by one, each back after 12 s", short: true, static: true, replays: true,
			during: func(ctx context.Context, s *scene) error {
				if s.short { // the one that coordinates the outboxes' group
					return s.broker(ctx, s.random.IntN(nodes), s.cluster.killNode, time.Second)
				}
				return eachBroker(ctx, s, s.cluster.killNode, 12*time.Second)
			},
		},
	}
}

// eachBroker ends one broker after the other, and waits between until all is in
// sync.
func eachBroker(ctx context.Context, s *scene, end func(context.Context, int) error, down time.Duration) error {
	for i := range nodes {
		if err := s.broker(ctx, i, end, down); err != nil {
			return err
		}
	}
	return nil
}

// broker ends one broker and starts it again after a while.
func (s *scene) broker(ctx context.Context, i int, end func(context.Context, int) error, down time.Duration) error {
	if err := end(ctx, i); err != nil {
		return err
	}
	if err := pause(ctx, down); err != nil {
		return err
	}
	if err := s.cluster.startNode(ctx, i); err != nil {
		return err
	}
	return s.cluster.whole(ctx)
}

// churnWhileBrokersRestart is two rows at once.
func churnWhileBrokersRestart(ctx context.Context, s *scene) error {
	restarting := make(chan error, 1)
	go func() { restarting <- eachBroker(ctx, s, s.cluster.stopNode, time.Second) }()
	err := churn(ctx, s, seconds(s, 60, 15))
	return errors.Join(err, <-restarting)
}
