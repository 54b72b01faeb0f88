package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// values are the figures of one run. Those whose name ends in "/s" are better
// when they are higher, all others when they are lower.
type values []value

type value struct {
	Name  string
	Value float64
}

func (v values) String() string {
	var s []string
	for _, f := range v {
		s = append(s, fmt.Sprintf("%s=%.4g", strings.ReplaceAll(f.Name, " ", "_"), f.Value))
	}
	return strings.Join(s, " ")
}

// benchCase is work that each program does.
type benchCase struct {
	name    string
	waiting bool   // the events are there before the program starts
	channel string // more settings of the notifier's channel; its own: the peer has no such case
	prepare func(context.Context, *lab) error
	raw     func(context.Context, *lab) (values, error)
	run     func(context.Context, *trial) (values, error)
	alone   func(context.Context) (values, error) // instead of all that: the notifier's code without Kafka
}

const backlog = 1_000_000 // events of the case filter

// cases are all cases; each comment says what it is about.
var cases = []benchCase{
	// A backlog of which one event in a thousand matches.
	{name: "filter", waiting: true, prepare: fill, raw: rawFilter, run: filter},
	// 100,000 events at once, all match.
	{name: "deliver", run: deliver},
	// 500 events/s for 20 s, all match.
	{name: "latency", run: latency},
	// SIGKILL after a third of 30,000 deliveries, and started again.
	{name: "kill", run: kill},
	// The receiver answers 503 while 5,000 events arrive.
	{name: "outage", run: outage},
	// The receiver refuses every 31st event once and is slow for every 97th.
	{name: "scattered", run: scatter},
	// 100,000 alerts for a channel that takes one a second.
	{name: "waiting", waiting: true, channel: "pace: {rate: 1/s}", prepare: fillAlerts, run: wait},
	// The steps of the usual paths, in units that other work on the machine does not change.
	{name: "paths", alone: paths},
}

// trial is one program on one case.
type trial struct {
	*lab
	name, group, begin string
	channel            string
	program            *program
}

func (t *trial) start(ctx context.Context) error {
	p, err := t.lab.start(ctx, t.name, t.group, t.begin, t.channel)
	if err == nil {
		t.program = p
	}
	return err
}

// offer has the sink expect n events that all match, and produces them.
func (t *trial) offer(ctx context.Context, m mode, n, rate int) error {
	l := load{from: t.next, n: n, match: 1, rate: rate}
	t.next += n
	t.sink.expect(m, l.from, n)
	return t.node.produce(ctx, l, t.sink)
}

// warm returns once the program has joined its group and has delivered some.
func (t *trial) warm(ctx context.Context) error {
	var err error
	joined := until(ctx, time.Minute, func() bool {
		const n = 100
		if err = t.offer(ctx, accept, n, 0); err != nil {
			return true
		}
		return until(ctx, 500*time.Millisecond, t.sink.has(n))
	})
	if err != nil {
		return err
	}
	const n = 2000
	if err := t.offer(ctx, accept, n, 1000); err != nil {
		return err
	}
	if !until(ctx, 30*time.Second, t.sink.has(n)) || !joined {
		return errors.New("it does not deliver")
	}
	return nil
}

func fill(ctx context.Context, l *lab) error {
	l.sink.expect(accept, 0, 0)
	return l.node.produce(ctx, load{from: 0, n: backlog, match: 0.001}, l.sink)
}

const waiting = 100_000 // alerts of the case waiting

func fillAlerts(ctx context.Context, l *lab) error {
	l.sink.expect(accept, 0, 0)
	return l.node.produce(ctx, load{from: 0, n: waiting, match: 1}, l.sink)
}

func rawFilter(ctx context.Context, l *lab) (values, error) {
	perSecond, err := l.node.raw(ctx, backlog)
	return values{{"events/s", perSecond}}, err
}

// drain returns once the program has committed all events.
func (t *trial) drain(ctx context.Context) error {
	drained, err := t.node.drained(ctx, t.group)
	if err != nil {
		return err
	}
	if !until(ctx, 2*time.Minute, drained) {
		return errors.New("not drained after 2 min")
	}
	return nil
}

func filter(ctx context.Context, t *trial) (values, error) {
	if err := t.drain(ctx); err != nil {
		return nil, err
	}
	took := time.Since(t.program.started)
	u, err := t.program.usage()
	return t.allocs(values{{"events/s", backlog / took.Seconds()}, {"CPU µs/event", perUnit(u.cpu, backlog)}, {"peak RSS MiB", u.peak}}, "allocs/event", u.allocs/backlog), err
}

func deliver(ctx context.Context, t *trial) (values, error) {
	const n = 100_000
	before, err := t.program.usage()
	if err != nil {
		return nil, err
	}
	if err := t.offer(ctx, accept, n, 0); err != nil {
		return nil, err
	}
	until(ctx, 2*time.Minute, t.sink.has(n))
	after, err := t.program.usage()
	v := values{{"posts/s", t.sink.perSecond()}, {"CPU µs/post", perUnit(after.cpu-before.cpu, n)}, {"peak RSS MiB", after.peak}}
	return append(t.allocs(v, "allocs/post", (after.allocs-before.allocs)/n), t.faults(n)...), err
}

func latency(ctx context.Context, t *trial) (values, error) {
	const n = 10_000
	before, err := t.program.usage()
	if err != nil {
		return nil, err
	}
	if err := t.offer(ctx, accept, n, 500); err != nil {
		return nil, err
	}
	until(ctx, 30*time.Second, t.sink.has(n))
	after, err := t.program.usage()
	v := values{{"p50 ms", t.sink.latency(0.5)}, {"p99 ms", t.sink.latency(0.99)}, {"CPU µs/post", perUnit(after.cpu-before.cpu, n)}}
	return append(v, t.faults(n)...), err
}

func kill(ctx context.Context, t *trial) (values, error) {
	const n = 30_000
	if err := t.offer(ctx, slow, n, 0); err != nil {
		return nil, err
	}
	until(ctx, time.Minute, t.sink.has(n/3))
	t.program.end(syscall.SIGKILL)
	until(ctx, time.Second, t.sink.idle)
	at := t.sink.count().posts
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	until(ctx, time.Minute, func() bool { return t.sink.count().posts > at })
	back := time.Since(t.program.started)
	until(ctx, 90*time.Second, t.sink.has(n))
	return append(values{{"s to next post", back.Seconds()}}, t.faults(n)...), nil
}

func outage(ctx context.Context, t *trial) (values, error) {
	const n = 5000
	if err := t.offer(ctx, refuse, n, 625); err != nil {
		return nil, err
	}
	t.sink.set(accept)
	recovered := time.Now()
	until(ctx, time.Minute, t.sink.has(n))
	return append(values{{"s to recover", time.Since(recovered).Seconds()}}, t.faults(n)...), nil
}

func scatter(ctx context.Context, t *trial) (values, error) {
	const n = 20_000
	began := time.Now()
	if err := t.offer(ctx, scattered, n, 0); err != nil {
		return nil, err
	}
	until(ctx, 2*time.Minute, t.sink.has(n))
	return append(values{{"s in all", time.Since(began).Seconds()}}, t.faults(n)...), nil
}

// wait has alerts wait for their channel: they do once all events are committed.
func wait(ctx context.Context, t *trial) (values, error) {
	if err := t.drain(ctx); err != nil {
		return nil, err
	}
	const rest = 10 * time.Second
	never := func() bool { return false }
	until(ctx, rest, never) // what is not used any longer is given back
	before, err := t.program.usage()
	if err != nil {
		return nil, err
	}
	until(ctx, rest, never)
	after, err := t.program.usage()
	idle := (after.cpu - before.cpu).Milliseconds()
	return values{{"peak RSS MiB", after.peak}, {"RSS MiB", after.rss}, {"idle CPU ms/min", float64(idle) / rest.Minutes()}}, err
}

// faults are the names of the figures that count what should not be.
const (
	missing    = "missing"
	duplicates = "duplicates"
	outOfOrder = "out of order"
)

func (t *trial) faults(n int) values {
	c := t.sink.count()
	return values{{missing, float64(n - c.unique)}, {duplicates, float64(c.posts - c.unique)}, {outOfOrder, float64(c.disorder)}}
}

// allocs adds the notifier's allocations.
func (t *trial) allocs(v values, name string, n float64) values {
	if t.name == notifier {
		v = append(v, value{name, n})
	}
	return v
}

func perUnit(d time.Duration, n int) float64 { return float64(d.Microseconds()) / float64(n) }
