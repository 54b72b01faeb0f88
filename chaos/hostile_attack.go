package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// plant produces a critical alert each second, in every partition in turn:
// to the healthy webhook, and now and then to Slack and to the receiver that
// refuses others.
func (h *hostile) plant(ctx context.Context) {
	for n := 0; ; n++ {
		channel := chHealthy
		switch n % 6 {
		case 2:
			channel = chChat
		case 4:
			channel = chPicky
		}
		topic, partition := spot(n)
		h.planted(channel, topic, partition, "")
		if pause(ctx, time.Second) != nil {
			return
		}
	}
}

// spot returns one of the sources' partitions.
func spot(n int) (topics.Name, int32) {
	all := topics.All()
	return all[n%len(all)], int32(n / len(all) % hostilePartitions)
}

// planted produces one critical alert; behind is the class of the record in
// front of it.
func (h *hostile) planted(channel string, topic topics.Name, partition int32, behind string) {
	name := "planted"
	if channel != chHealthy {
		name += "-" + channel
	}
	s := &shot{class: "planted", may: raises, channels: []string{channel}, planted: true, behind: behind}
	h.produce(h.client, s, &kgo.Record{
		Topic: string(topic), Partition: partition,
		Value: fmt.Appendf(nil, `{"alert":%q,"event_type":"margin.call","occurred_at":%q}`, name, time.Now().UTC().Format(time.RFC3339Nano)),
	})
}

// produce enters a record and sends it.
func (h *hostile) produce(client *kgo.Client, s *shot, r *kgo.Record) {
	s.at.topic = r.Topic
	h.account.enter(s)
	client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		if err != nil {
			h.account.refuse(s, err)
			return
		}
		h.account.placed(s, r.Partition, r.Offset)
	})
}

// attack sends one class's records until ctx ends, for the first time within
// first. Behind each shot into a source follows a planted alert in the same
// partition.
func (h *hostile) attack(ctx context.Context, c *class, index int, first time.Duration) {
	random := rand.New(rand.NewPCG(h.seed, uint64(index)))
	if pause(ctx, time.Duration(random.Int64N(int64(min(c.every, first))))) != nil {
		return
	}
	for n := 0; ; n++ {
		topic, partition := spot(index + n)
		records := c.records(random, n)
		own := false
		for _, r := range records {
			if own = r.Topic != ""; !own {
				r.Topic, r.Partition = string(topic), partition
			}
		}
		if err := h.fire(c, records); err != nil {
			h.account.fault("%s: %v", c.name, err)
		}
		if !own {
			h.planted(chHealthy, topic, partition, c.name)
		}
		if pause(ctx, c.every) != nil {
			return
		}
	}
}

// fire sends the records of one shot and waits for the brokers.
func (h *hostile) fire(c *class, records []*kgo.Record) error {
	client := h.producers[none]
	if c.codec != "" {
		client = h.producers[c.codec]
	}
	if c.together {
		if err := client.BeginTransaction(); err != nil {
			return err
		}
	}
	for _, r := range records {
		h.produce(client, &shot{class: c.name, may: c.may, channels: c.channels}, r)
		if c.together { // a batch each
			if err := client.Flush(context.Background()); err != nil {
				return err
			}
		}
	}
	if c.together {
		return client.EndTransaction(context.Background(), kgo.TryCommit)
	}
	return client.Flush(context.Background())
}

// drain waits until both groups have nothing left.
func (h *hostile) drain(ctx context.Context) error {
	for n := range len(topics.All()) * hostilePartitions { // every partition still moves
		topic, partition := spot(n)
		h.planted(chHealthy, topic, partition, "")
	}
	if err := h.client.Flush(ctx); err != nil {
		return err
	}
	var lag map[string]int64
	var gone error
	err := until(ctx, drainWithin, "everything has its outcome", func(ctx context.Context) bool {
		select {
		case <-h.daemon.gone:
			gone = errors.New("the daemon is gone")
			return true
		default:
		}
		now := make(map[string]int64)
		for _, g := range []string{hostileGroup, topics.OutboxGroup(hostileGroup)} {
			lags, err := h.admin.Lag(ctx, g)
			if err != nil {
				return false
			}
			of := lags[g]
			if of.Error() != nil {
				return false
			}
			for _, l := range of.Lag.Sorted() {
				if l.Lag != 0 {
					now[fmt.Sprintf("%s/%d", l.Topic, l.Partition)] += l.Lag
				}
			}
		}
		lag = now
		return len(lag) == 0
	})
	if err != nil && len(lag) > 0 {
		return fmt.Errorf("%w; waiting: %s", err, listed(lag, 4))
	}
	return errors.Join(gone, err)
}

// deadLetters reads the dead letters.
func (h *hostile) deadLetters(ctx context.Context) (deadLetters, map[string]int, error) {
	dead, causes := make(deadLetters), make(map[string]int)
	err := dlq.NewReader(h.client, hostileGroup).Each(ctx, dlq.Query{Closed: true}, func(e *dlq.Entry) bool {
		causes[string(e.Cause)]++
		if e.Envelope != nil {
			s := e.Envelope.Source
			dead.add(place{s.Topic, s.Partition, s.Offset}, e.Envelope.Channel)
		}
		return true
	})
	return dead, causes, err
}

// committed reads the commits of both groups.
func (h *hostile) committed(ctx context.Context) (commits, error) {
	done := make(commits)
	for _, g := range []string{hostileGroup, topics.OutboxGroup(hostileGroup)} {
		offsets, err := h.admin.FetchOffsets(ctx, g)
		if err != nil {
			return done, err
		}
		offsets.Each(func(o kadm.OffsetResponse) { done[place{o.Topic, o.Partition, 0}] = o.At })
	}
	return done, nil
}
