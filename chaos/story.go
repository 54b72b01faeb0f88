package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/topics"
)

// story plays a morning with a venue outage to one daemon with the shipped rules
// and a Slack that takes one message a second, and judges what people got to
// read: how late what is urgent was, how many messages there were, and whether
// anything was told twice or not at all. The daemon is restarted in the middle
// of the outage.
type story struct {
	*site
	kafka  *node
	client *kgo.Client
	slack  *slackDesk
	daemon *daemon

	mu      sync.Mutex
	planted []*plant
	events  int // produced
	matches int // of these, how many raise an alert
	failed  error
	down    struct{ from, to time.Time } // when the daemon was stopped and ready again
}

// plant is an event whose alert is looked for among the messages.
type plant struct {
	kind     string // critical or first
	mark     string // a text that is in no other event
	produced time.Time
}

const (
	storyRate      = 200 // events a second
	storyGroup     = "story"
	storyDrain     = 8 * time.Minute // after the last event
	storyShortest  = 30 * time.Second
	storyThrottled = 5 * time.Minute // the shortest throttle of a rule that repeats
)

// tellStory plays the story for a time and prints its table. It reports whether
// every bound holds.
func tellStory(ctx context.Context, o *options, out io.Writer) (ok bool, err error) {
	if o.story < storyShortest {
		return false, fmt.Errorf("a story of %s is too short: give it %s at least", o.story, storyShortest)
	}
	began := time.Now()
	s := &story{}
	if s.site, err = newSite(o, "story-", out); err != nil {
		return false, err
	}
	defer func() { s.leave(ok) }()
	defer s.strike()
	if err := s.set(ctx); err != nil {
		return false, err
	}
	s.say("Kafka, Slack's stand-in and the daemon after %.0f s; seed %d; logs in %s", time.Since(began).Seconds(), s.seed, s.dir)
	if err := s.play(ctx, o.story); err != nil {
		return false, err
	}
	r := s.judge(ctx)
	r.text(out)
	s.say("%s in all, seed %d", time.Since(began).Round(time.Second), s.seed)
	return r.ok(), nil
}

// set starts Kafka, the stand-in and the daemon.
func (s *story) set(ctx context.Context) (err error) {
	if s.kafka, err = s.broker(ctx); err != nil {
		return err
	}
	if s.client, err = s.kafka.client(); err != nil {
		return err
	}
	if s.slack, err = newSlackDesk(); err != nil {
		return err
	}
	config := fmt.Sprintf(`kafka: {brokers: [%q], group: %s, instance_id: story-1}
rules: rules.yaml
http: {listen: "127.0.0.1:0"}
log: {format: json}
channels:
  desk: {slack: {token: env:STORY_TOKEN, channel: C0DESK01, api: %q}}
`, s.kafka.addr, storyGroup, s.slack.url+"/api/")
	if err := os.WriteFile(filepath.Join(s.dir, "notifier.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "rules.yaml"), configs.Rules, 0o600); err != nil {
		return err
	}
	if err := os.Setenv("STORY_TOKEN", slackToken); err != nil {
		return err
	}
	if _, err := s.command(ctx, "topics", "create", "--partitions", "6", "--replication", "1"); err != nil {
		return err
	}
	return s.start(ctx)
}

func (s *story) start(ctx context.Context) (err error) {
	if s.daemon, err = launch(s.binary, s.dir, "daemon", "story-1", func(logLine) {}); err != nil {
		return err
	}
	return s.daemon.ready(ctx)
}

func (s *story) strike() {
	if s.daemon != nil {
		s.daemon.kill()
	}
	if s.slack != nil {
		_ = s.slack.server.Close()
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.kafka != nil {
		s.kafka.close()
	}
}

// play produces the events at their rate, restarts the daemon in the middle, and
// waits until it has nothing left to send.
func (s *story) play(ctx context.Context, total time.Duration) error {
	script := s.script(total)
	began := time.Now()
	restarted := make(chan error, 1)
	time.AfterFunc(total/2, func() { restarted <- s.restart(ctx) })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(script) > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("stopped")
		}
		for now := time.Since(began); len(script) > 0 && script[0].at <= now; script = script[1:] {
			s.produce(ctx, script[0])
		}
	}
	if err := s.client.Flush(ctx); err != nil {
		return err
	}
	if err := <-restarted; err != nil {
		return err
	}
	if s.failed != nil {
		return s.failed
	}
	s.say("%d events in %s, %d of them raise an alert; %d messages so far: waiting for the rest", s.events, time.Since(began).Round(time.Second), s.matches, s.slack.count())
	ended := time.Now()
	err := until(ctx, storyDrain, "nothing is left to be sent", func(ctx context.Context) bool {
		_, metrics := s.daemon.get(ctx, "/metrics")
		return sampleSum("notifier_consumer_lag_records")(metrics) == 0 && sampleSum("notifier_outbox_pending")(metrics) == 0 && s.slack.idle() > 15*time.Second
	})
	if err != nil {
		s.say("%v", err)
	}
	s.say("nothing left %s after the last event", time.Since(ended).Round(time.Second))
	return nil
}

// restart stops the daemon as systemd does, and starts it again.
func (s *story) restart(ctx context.Context) error {
	s.down.from = time.Now()
	if err := s.daemon.stop(); err != nil {
		return err
	}
	err := s.start(ctx)
	s.down.to = time.Now()
	return err
}

func (s *story) produce(ctx context.Context, e scripted) {
	now := time.Now()
	e.fields["occurred_at"] = now.UTC().Format(time.RFC3339Nano)
	if e.plant != nil {
		e.plant.produced = now
		s.mu.Lock()
		s.planted = append(s.planted, e.plant)
		s.mu.Unlock()
	}
	s.events++
	if e.matches {
		s.matches++
	}
	r := &kgo.Record{Topic: string(e.topic), Key: []byte(e.key), Value: e.value()}
	s.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failed = errors.Join(s.failed, err)
		}
	})
}

// scripted is an event and when it happens.
type scripted struct {
	at      time.Duration
	topic   topics.Name
	key     string
	fields  map[string]any
	matches bool
	plant   *plant
}
