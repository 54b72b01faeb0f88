package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// mix says what is produced: events a second, and of a thousand events how
// many are of which kind. The rest raise no alert.
type mix struct {
	rate    int
	hook    int // an alert for the hook
	both    int // one rule, two channels: hook and desk
	mailed  int // one rule, two channels: desk and mail
	refused int // an alert that the hook's receiver refuses until it is replayed
	poison  int // not an event
	null    int // an alert of a record without a key
	// ahead is how many alerts may be on their way before load waits.
	ahead int
}

// ordinary is the load of most rows.
var ordinary = mix{rate: 400, hook: 400, both: 50, mailed: 20, refused: 10, poison: 10, null: 20, ahead: 20_000}

const loadKeys = 200

// producer produces events for one row.
type producer struct {
	client *kgo.Client
	ledger *sharedLedger
	random *rand.Rand
	mix    mix
	quiet  *atomic.Bool
	fail   func(error)
	flight sync.WaitGroup
}

func newProducer(c *cluster, l *sharedLedger, m mix, seed uint64, quiet *atomic.Bool, fail func(error)) (*producer, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.direct[:]...), kgo.ProducerLinger(0), kgo.MetadataMinAge(250*time.Millisecond),
		kgo.UnknownTopicRetries(-1), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	return &producer{client: client, ledger: l, mix: m, random: rand.New(rand.NewPCG(seed, 1)), quiet: quiet, fail: fail}, nil
}

// run produces at the rate until ctx ends, then waits until the brokers have
// acknowledged everything, or until all is over.
func (p *producer) run(ctx, all context.Context) {
	defer p.client.Close()
	defer context.AfterFunc(all, func() { _ = p.client.AbortBufferedRecords(context.Background()) })()
	const step = 10 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	begin, made := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			p.flight.Wait()
			return
		case <-tick.C:
		}
		due := int(time.Since(begin).Seconds() * float64(p.mix.rate))
		if p.quiet.Load() || p.ledger.behind() > p.mix.ahead {
			begin, made = time.Now(), 0 // what was not produced is not made up for
			continue
		}
		for ; made < due; made++ {
			p.one()
		}
	}
}

// one produces one event of the kind that comes up.
func (p *producer) one() {
	k := p.random.IntN(loadKeys)
	key := fmt.Sprintf("k%d", k)
	topic := topics.All()[k%3]
	kind := p.random.IntN(1000)
	m := p.mix
	below := func(n int) bool {
		kind -= n
		return kind < 0
	}
	// The channels of a key count alike, so each kind of alert has keys of its
	// own.
	switch {
	case below(m.hook):
		p.alert(topic, key, "hook", false, hook)
	case below(m.both):
		p.alert(topic, key+"b", "both", false, hook, desk)
	case below(m.mailed):
		p.alert(topic, key+"m", "mail", false, desk, mail)
	case below(m.refused):
		p.alert(topic, key, "hook", true, hook)
	case below(m.null):
		p.alert(topic, "", "hook", false, hook)
	case below(m.poison):
		l := p.ledger.poisoned(string(topic))
		p.produce(&kgo.Record{Topic: string(topic), Key: []byte(key), Value: []byte(`{"alert":"hook","k":`)}, func(r *kgo.Record) {
			p.ledger.placed(l, r.Partition, r.Offset)
		})
	default:
		p.ledger.quiet()
		p.produce(&kgo.Record{Topic: string(topic), Key: []byte(key), Value: []byte(`{"alert":"none","k":"` + key + `"}`)}, nil)
	}
}

// alert produces an event that raises one alert for these channels.
func (p *producer) alert(topic topics.Name, key, route string, refuse bool, channels ...string) {
	n := p.ledger.number(channels[0], key)
	value, err := json.Marshal(map[string]any{
		"event_type": "order.rejected", "alert": route, "k": key, "n": n, "occurred_at": time.Now().UTC(),
		"symbol": "NVDA", "account_id": "ACC-1015", "reason": "insufficient buying power",
	})
	if err != nil {
		p.fail(err)
		return
	}
	p.ledger.expect(key, refuse, channels...)
	r := &kgo.Record{Topic: string(topic), Value: value}
	if key != "" {
		r.Key = []byte(key)
	}
	p.produce(r, nil)
}

// produce sends one record. It continues trying for as long as it takes: what is
// in the ledger has to be in the topic.
func (p *producer) produce(r *kgo.Record, placed func(*kgo.Record)) {
	p.flight.Add(1)
	p.client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		defer p.flight.Done()
		if err != nil {
			p.fail(fmt.Errorf("produce to %s: %w", r.Topic, err))
			return
		}
		if placed != nil {
			placed(r)
		}
	})
}
