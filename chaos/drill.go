package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// drill causes what each alerting rule is about: on one node of Kafka, with two
// daemons, a receiver that can fail, and a real Prometheus with the shipped
// rules, in which a minute is a second. Each alert has to fire while its cause
// lasts and to resolve when it is fixed.
type drill struct {
	*site
	kafka  *node
	client *kgo.Client // leaves the partition to the record
	admin  *kadm.Client
	hooks  *receiver
	prom   *prometheus
	slots  []*slot
}

const drillGroup = "drill"

// slot is a place of a daemon, with an address that outlives it.
type slot struct {
	name, dir, listen string
	daemon            *daemon
}

// drillRules give each kind of failure its own channel.
const drillRules = `version: 1
rules:
  - {name: hook, topic: [%[1]s], when: 'event.alert == "hook"', severity: warning, to: [hook], title: "{{ event.n }}"}
  - {name: suspended, topic: [%[1]s], when: 'event.alert == "suspended"', severity: warning, to: [suspended], title: "{{ event.n }}"}
  - {name: picky, topic: [%[1]s], when: 'event.alert == "picky"', severity: warning, to: [picky], title: "{{ event.n }}"}
  - {name: slow, topic: [%[1]s], when: 'event.alert == "slow"', severity: warning, to: [slow], title: "{{ event.n }}"}
`

// drillAlerts causes the alerts of the acts, and reports whether each fired and
// resolved. Names are of alerts; an act is played when one of its is named, or
// none is.
func drillAlerts(ctx context.Context, o *options, out io.Writer) (ok bool, err error) {
	began := time.Now()
	d := &drill{}
	if d.site, err = newSite(o, "alerts-", out); err != nil {
		return false, err
	}
	defer func() { d.leave(ok) }()
	acts, err := chooseActs(o.rows)
	if err != nil {
		return false, err
	}
	defer d.strike()
	if err := d.set(ctx); err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var loading sync.WaitGroup
	loading.Go(func() { d.load(ctx) })
	defer loading.Wait()
	defer cancel()
	if err := d.calm(ctx); err != nil {
		return false, err
	}
	d.say("one node of Kafka, two daemons and Prometheus after %.0f s; logs in %s", time.Since(began).Seconds(), d.dir)
	ok = true
	var all []*result
	for _, a := range acts {
		results, err := d.play(ctx, a)
		all = append(all, results...)
		if err != nil {
			ok = false
			d.say("%-32s FAILED: %v", a.alerts(), err)
		}
		if ctx.Err() != nil {
			return false, errors.New("stopped")
		}
	}
	if o.rows == "" {
		ok = d.complete(all) && ok
	}
	if o.output == "markdown" {
		fmt.Fprintln(out)
		drillTable(out, all)
	}
	d.say("%d alerts in %s", len(all), time.Since(began).Round(time.Second))
	return ok, nil
}

// complete says which alerts of the rules no act has caused.
func (d *drill) complete(all []*result) bool {
	names := maps.Clone(d.prom.alerts)
	for _, r := range all {
		delete(names, r.alert)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.say("%-32s FAILED: nothing causes it", name)
	}
	return len(names) == 0
}

func (d *drill) set(ctx context.Context) (err error) {
	if d.kafka, err = d.broker(ctx); err != nil {
		return err
	}
	if d.client, err = d.kafka.client(kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		return err
	}
	d.admin = kadm.NewClient(d.client)
	if d.hooks, err = newReceiver(); err != nil {
		return err
	}
	var targets []string
	for _, name := range []string{"a", "b"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := &slot{name: name, dir: filepath.Join(d.dir, "daemon-"+name), listen: l.Addr().String()}
		_ = l.Close()
		d.slots, targets = append(d.slots, s), append(targets, s.listen)
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			return err
		}
		config := fmt.Sprintf(`kafka: {brokers: [%q], group: %s, session_timeout: 10s}
rules: rules.yaml
http: {listen: %q}
log: {format: json}
lag: {groups: [%s]}
channels:
  hook: {webhook: {url: "%[5]s/hook"}, partitions: 2}
  suspended: {webhook: {url: "%[5]s/suspended"}}
  picky: {webhook: {url: "%[5]s/picky"}}
  slow: {webhook: {url: "%[5]s/slow"}}
`, d.kafka.addr, drillGroup, s.listen, otherGroup, d.hooks.url)
		if err := os.WriteFile(filepath.Join(s.dir, "notifier.yaml"), []byte(config), 0o644); err != nil {
			return err
		}
		if err := d.writeRules(s, ""); err != nil {
			return err
		}
	}
	if err := d.topics(ctx); err != nil {
		return err
	}
	// The alerts pending for the suspended channel are about to be deleted; daemons
	// look at it once a minute only.
	if err := d.alter(ctx, topics.Outbox(drillGroup, "suspended"), "retention.ms", "420000"); err != nil {
		return err
	}
	if err := d.start(ctx, d.slots...); err != nil {
		return err
	}
	d.prom, err = startPrometheus(ctx, filepath.Join(d.dir, "prometheus"), targets)
	return err
}

// writeRules writes a daemon's rules file, with more text behind the rules.
func (d *drill) writeRules(s *slot, more string) error {
	var sources []string
	for _, n := range topics.All() {
		sources = append(sources, string(n))
	}
	text := fmt.Sprintf(drillRules, strings.Join(sources, ", "))
	return os.WriteFile(filepath.Join(s.dir, "rules.yaml"), []byte(text+more), 0o644)
}

// strike ends everything.
func (d *drill) strike() {
	for _, s := range d.slots {
		if s.daemon != nil {
			s.daemon.kill()
		}
	}
	if d.prom != nil {
		d.prom.close()
	}
	if d.hooks != nil {
		_ = d.hooks.server.Close()
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.kafka != nil {
		d.kafka.close()
	}
}

// start starts daemons and waits until they are ready.
func (d *drill) start(ctx context.Context, slots ...*slot) error {
	if err := d.launch(slots...); err != nil {
		return err
	}
	for _, s := range slots {
		if err := s.daemon.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *drill) launch(slots ...*slot) (err error) {
	for _, s := range slots {
		if s.daemon, err = launch(d.binary, s.dir, s.name, "", func(logLine) {}); err != nil {
			return err
		}
	}
	return nil
}

// stop asks daemons to stop.
func (d *drill) stop(slots ...*slot) error {
	var all error
	for _, s := range slots {
		all = errors.Join(all, s.daemon.stop())
	}
	return all
}

// topics makes those that are missing.
func (d *drill) topics(ctx context.Context) error {
	return d.command(ctx, "topics", "create", "--partitions", "3", "--replication", "1")
}

// command runs one of notifier's commands on the configuration of a daemon.
func (d *drill) command(ctx context.Context, args ...string) error {
	_, err := d.commandIn(ctx, d.slots[0].dir, args...)
	return err
}

func (d *drill) alter(ctx context.Context, topic, key, value string) error {
	resp, err := d.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	if err != nil {
		return err
	}
	_, err = resp.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	return err
}

// alarming is an event that raises an alert for one of the channels.
func alarming(topic topics.Name, partition int32, route string, n int, at time.Time) *kgo.Record {
	value, err := json.Marshal(map[string]any{"event_type": "order.rejected", "alert": route, "n": n, "occurred_at": at.UTC()})
	if err != nil {
		panic(err) // it always can be
	}
	return &kgo.Record{Topic: string(topic), Partition: partition, Value: value}
}

// load is the ordinary life: thirty events a second, and as many alerts for the
// hook.
func (d *drill) load(ctx context.Context) {
	for n := 0; pause(ctx, 100*time.Millisecond) == nil; n++ {
		for _, t := range topics.All() {
			d.client.Produce(ctx, alarming(t, int32(n%3), "hook", n, time.Now()), nil)
		}
	}
}

// calm waits until no alert fires.
func (d *drill) calm(ctx context.Context) error {
	var firing []string
	err := until(ctx, 2*time.Minute, "no alert fires", func(ctx context.Context) bool {
		now := d.prom.firing(ctx)
		firing = slices.Sorted(maps.Keys(now))
		return now != nil && len(firing) == 0
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(firing, ", "))
	}
	return nil
}
