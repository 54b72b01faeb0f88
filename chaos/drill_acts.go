package main

import (
	"context"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// otherGroup is another service's.
const otherGroup = "risk-service"

// allActs returns the acts. What does not disturb each other is one act.
func allActs() []*act {
	return []*act{
		down(), gone(), restarting(), faultyRules(), rebalancing(), intruder(), favourite(), otherProtocol(),
		channelsFail(), deadLettersRefused(), slowWrites(), retentionPassed(), brokersDown(),
		topicDeleted(), // the last: a producer does not follow a topic that was recreated
	}
}

func down() *act {
	return &act{
		signs: []sign{{"NotifierInstanceDown", "`kill -9` of one of two daemons"}},
		cause: func(_ context.Context, d *drill) error { d.slots[1].daemon.kill(); return nil },
		fix:   func(ctx context.Context, d *drill) error { return d.start(ctx, d.slots[1]) },
	}
}

func gone() *act {
	return &act{
		signs: []sign{{"NotifierAbsent", "`kill -9` of both daemons"}},
		cause: func(_ context.Context, d *drill) error {
			for _, s := range d.slots {
				s.daemon.kill()
			}
			return nil
		},
		fix: func(ctx context.Context, d *drill) error { return d.start(ctx, d.slots...) },
	}
}

func restarting() *act {
	return &act{
		signs: []sign{{"NotifierRestarting", "`kill -9` of a daemon and another start, again and again"}},
		cause: func(context.Context, *drill) error { return nil },
		meanwhile: func(ctx context.Context, d *drill) {
			for ctx.Err() == nil {
				d.slots[1].daemon.kill()
				if d.launch(d.slots[1]) != nil {
					return
				}
				select {
				case <-d.slots[1].daemon.running:
					_ = pause(ctx, time.Second) // Prometheus has seen it
				case <-ctx.Done():
				}
			}
		},
		fix: func(ctx context.Context, d *drill) error {
			d.slots[1].daemon.kill()
			return d.start(ctx, d.slots[1])
		},
	}
}

func faultyRules() *act {
	return &act{
		signs: []sign{{"NotifierReloadFailed", "a rules file with a duplicate key"}},
		cause: func(_ context.Context, d *drill) error { return d.writeRules(d.slots[1], "version: 1\n") },
		fix:   func(_ context.Context, d *drill) error { return d.writeRules(d.slots[1], "") },
	}
}

func rebalancing() *act {
	return &act{
		signs: []sign{{"NotifierRebalancing", "another member joins the group and leaves it, again and again"}},
		cause: func(context.Context, *drill) error { return nil },
		meanwhile: func(ctx context.Context, d *drill) {
			for ctx.Err() == nil {
				s, err := d.join(ctx, kgo.CooperativeStickyBalancer())
				if err == nil {
					s.leave()
				}
			}
		},
		fix: func(context.Context, *drill) error { return nil },
	}
}

func intruder() *act {
	var s *stranger
	return &act{
		signs: []sign{{"NotifierPartitionsUnassigned", "another program joins our group and takes a third of the partitions"}},
		cause: func(ctx context.Context, d *drill) (err error) {
			s, err = d.join(ctx, kgo.CooperativeStickyBalancer())
			return err
		},
		fix: func(context.Context, *drill) error { s.leave(); return nil },
	}
}

// after has both daemons start in a group that a stranger was in before.
func after(d *drill, balancer kgo.GroupBalancer, s **stranger) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		if err := d.stop(d.slots...); err != nil {
			return err
		}
		if *s, err = d.join(ctx, balancer); err != nil {
			return err
		}
		return d.launch(d.slots...)
	}
}

func favourite() *act {
	var s *stranger
	return &act{
		signs: []sign{{"NotifierMemberIdle", "the group's leader is another program, which gives everything to one of two daemons"}},
		cause: func(ctx context.Context, d *drill) error {
			return after(d, &unfair{GroupBalancer: kgo.CooperativeStickyBalancer()}, &s)(ctx)
		},
		fix: func(context.Context, *drill) error { s.leave(); return nil },
	}
}

func otherProtocol() *act {
	var s *stranger
	return &act{
		signs: []sign{{"NotifierGroupNotJoined", "another program is in our group, with another way of dividing it (`range`)"}},
		cause: func(ctx context.Context, d *drill) error { return after(d, kgo.RangeBalancer(), &s)(ctx) },
		fix:   func(context.Context, *drill) error { s.leave(); return nil },
	}
}

// channelsFail has each channel fail in its own way, and what does not concern
// them beside it: poison, and another service that is stuck.
func channelsFail() *act {
	return &act{
		signs: []sign{
			{"NotifierCircuitOpen", "the hook answers 500"},
			{"NotifierOutboxWaiting", "the same: alerts wait for it"},
			{"NotifierChannelSuspended", "a receiver answers 401"},
			{"NotifierTimeUntilLoss", "the same, and its outbox keeps alerts for 7 minutes"},
			{"NotifierDeliveryErrors", "a receiver answers 422 to every second alert"},
			{"NotifierAlertsLate", "events that are five minutes old when they come"},
			{"NotifierProcessingErrors", "10 records a second that are not JSON"},
			{"NotifierDeadLettersOpen", "the same, 150 of them"},
			{"NotifierDeadLetterOld", "a dead letter that failed two days ago"},
			{"NotifierOtherGroupLag", "a group of another service does not commit"},
		},
		cause: func(ctx context.Context, d *drill) error {
			d.hooks.answer("hook", always(500))
			d.hooks.answer("suspended", always(401))
			d.hooks.answer("picky", func(n int64) int { return []int{200, 422}[n%2] })
			return d.commit(ctx, otherGroup, topics.PortfolioUpdates)
		},
		meanwhile: func(ctx context.Context, d *drill) {
			for n := 0; pause(ctx, 100*time.Millisecond) == nil; n++ {
				const t = topics.ForwardTestEvents
				partition := int32(n % 3)
				d.client.Produce(ctx, alarming(t, partition, "suspended", n, time.Now()), nil)
				d.client.Produce(ctx, alarming(t, partition, "picky", n, time.Now()), nil)
				d.client.Produce(ctx, alarming(t, partition, "slow", n, time.Now().Add(-5*time.Minute)), nil)
				d.client.Produce(ctx, &kgo.Record{Topic: string(t), Partition: partition, Value: []byte(`{"alert":`)}, nil)
				if n == 50 {
					if err := d.age(ctx); err != nil {
						d.say("    no dead letter could be made old: %v", err)
					}
				}
			}
		},
		fix: func(ctx context.Context, d *drill) error {
			for _, channel := range []string{"hook", "suspended", "picky"} {
				d.hooks.answer(channel, nil)
			}
			if _, err := d.admin.DeleteGroup(ctx, otherGroup); err != nil {
				return err
			}
			return d.command(ctx, "dlq", "discard", "--all", "--yes", "-m", "drill")
		},
	}
}

// commit commits the present end of a topic for a group.
func (d *drill) commit(ctx context.Context, group string, topic topics.Name) error {
	ends, err := d.admin.ListEndOffsets(ctx, string(topic))
	if err != nil {
		return err
	}
	return d.admin.CommitAllOffsets(ctx, group, ends.Offsets())
}

// age writes a dead letter again as if it had failed two days ago.
func (d *drill) age(ctx context.Context) error {
	entries, err := dlq.NewReader(d.client, drillGroup).List(ctx, topics.ForwardTestEvents)
	if err != nil || len(entries) == 0 {
		return fmt.Errorf("%d dead letters: %w", len(entries), err)
	}
	e := entries[0]
	e.FirstFailed = e.FirstFailed.Add(-48 * time.Hour)
	return dlq.NewWriter(dlq.WriterParams{Client: d.client, Group: drillGroup, Logger: slog.New(slog.DiscardHandler)}).Write(ctx, e)
}

func topicDeleted() *act {
	return &act{
		signs: []sign{{"NotifierTopicUnavailable", "a source is deleted"}},
		cause: func(ctx context.Context, d *drill) error {
			resp, err := d.admin.DeleteTopic(ctx, string(topics.ForwardTestEvents))
			if err != nil {
				return err
			}
			return resp.Err
		},
		fix: func(ctx context.Context, d *drill) error { return d.topics(ctx) },
	}
}

// deadLettersRefused has every partition of a source wait before a record that
// cannot be dead-lettered.
func deadLettersRefused() *act {
	target := topics.DeadLetter(drillGroup, topics.TradeExecutions)
	return &act{
		signs: []sign{
			{"NotifierDeadLetterWriteFailures", "a dead-letter topic takes no record above 100 bytes (`max.message.bytes`)"},
			{"NotifierPartitionBlocked", "the same, with poison in every partition of the source"},
			{"NotifierNothingConsumed", "the same"},
			{"NotifierLagSeconds", "the same"},
			{"NotifierLagRecords", "the same, and 12,000 events behind the poison"},
		},
		cause: func(ctx context.Context, d *drill) error {
			if err := d.alter(ctx, target, "max.message.bytes", "100"); err != nil {
				return err
			}
			const t = string(topics.TradeExecutions)
			for n := range 12_000 {
				r := &kgo.Record{Topic: t, Partition: int32(n % 3), Value: []byte(`{"alert":"none"}`)}
				if n < 3 {
					r.Value = []byte(`{"alert":`)
				}
				d.client.Produce(ctx, r, nil)
			}
			return d.client.Flush(ctx)
		},
		fix: func(ctx context.Context, d *drill) error {
			return d.alter(ctx, target, "max.message.bytes", "2097152") // more than enough
		},
	}
}

// slowWrites freezes Kafka as soon as it has handed out a burst of events:
// their alerts are written once it continues.
func slowWrites() *act {
	return &act{
		signs: []sign{{"NotifierProcessingSlow", "Kafka is frozen for three seconds of four, each time just after a burst of events"}},
		cause: func(context.Context, *drill) error { return nil },
		meanwhile: func(ctx context.Context, d *drill) {
			for ctx.Err() == nil {
				var burst []*kgo.Record
				for n := range 300 {
					burst = append(burst, alarming(topics.TradeExecutions, int32(n%3), "hook", n, time.Now()))
				}
				d.client.ProduceSync(ctx, burst...)
				_ = d.kafka.signal(syscall.SIGSTOP)
				_ = pause(ctx, 3*time.Second)
				_ = d.kafka.signal(syscall.SIGCONT)
				_ = pause(ctx, time.Second)
			}
		},
		fix: func(_ context.Context, d *drill) error { return d.kafka.signal(syscall.SIGCONT) },
	}
}

// retentionPassed deletes what no daemon has read, as retention does.
func retentionPassed() *act {
	return &act{
		signs: []sign{{"NotifierEventsLost", "records are deleted while both daemons are down"}},
		cause: func(ctx context.Context, d *drill) error {
			if err := d.stop(d.slots...); err != nil {
				return err
			}
			const t = topics.PortfolioUpdates
			for n := range 300 {
				d.client.Produce(ctx, alarming(t, int32(n%3), "hook", n, time.Now()), nil)
			}
			if err := d.client.Flush(ctx); err != nil {
				return err
			}
			ends, err := d.admin.ListEndOffsets(ctx, string(t))
			if err != nil {
				return err
			}
			var upTo kadm.Offsets = ends.Offsets()
			if _, err := d.admin.DeleteRecords(ctx, upTo); err != nil {
				return err
			}
			return d.start(ctx, d.slots...)
		},
		fix: func(context.Context, *drill) error { return nil },
	}
}

func brokersDown() *act {
	return &act{
		signs: []sign{{"NotifierCondition", "Kafka is stopped (`kind=\"brokers\"`)"}},
		cause: func(ctx context.Context, d *drill) error { return d.kafka.stop(ctx) },
		fix:   func(ctx context.Context, d *drill) error { return d.kafka.again(ctx) },
	}
}
