package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/ledger"
	"github.com/algotrade/notifier/internal/topics"
)

// stage is what all rows share: the cluster, the providers, the program.
type stage struct {
	*site
	cluster *cluster
	sink    *sink
	post    *postfix
	short   bool
}

// row is one kind of fault, and what it allows.
type row struct {
	name, what string
	short      bool // part of the short form
	mix        mix
	daemons    int  // how many to begin with
	static     bool // with an instance id each
	session    time.Duration
	timeout    time.Duration // of an attempt to the hook; 0: the default
	replays    bool          // replay dead letters meanwhile
	terms      func(*scene) ledger.Terms
	// during breaks things and fixes them, while load continues. Recovery is
	// counted from its end.
	during func(context.Context, *scene) error
}

// scene is one row while it is played.
type scene struct {
	*stage
	row    *row
	group  string
	files  string // the directory of its configuration
	ledger *sharedLedger
	random *rand.Rand

	quiet   atomic.Bool // nothing is produced
	resting atomic.Bool // all is done, the daemons are asked to stop

	mu      sync.Mutex
	daemons []*daemon
	stopped sync.WaitGroup
	errors  map[string]int // lines at error level, by message
	notes   []string
	kept    []ledger.DeadLetter // from topics that are gone
	failed  error
	revoked int
	recover time.Duration
	replays int
}

// concurrency is how many attempts each channel may have in flight.
var concurrency = map[string]int{hook: 16, desk: 4, mail: 2}

// outboxPartitions are those that topics create makes.
var outboxPartitions = map[string]int{hook: 6, desk: 1, mail: 1}

// crashBound is how many duplicates one disturbance may cause: what is in flight,
// and 64 settled, uncommitted deliveries of each outbox partition.
func crashBound() map[string]int {
	bound := make(map[string]int)
	for channel, n := range concurrency {
		bound[channel] = n + 64*outboxPartitions[channel]
	}
	return bound
}

const rules = `version: 1
rules:
  - {name: hook, topic: [%[1]s], when: 'event.alert == "hook"', severity: warning, to: [hook], title: "{{ event.k }}/{{ event.n }}"}
  - {name: both, topic: [%[1]s], when: 'event.alert == "both"', severity: warning, to: [hook, desk], title: "{{ event.k }}/{{ event.n }}"}
  - {name: mail, topic: [%[1]s], when: 'event.alert == "mail"', severity: warning, to: [desk, mail], title: "{{ event.k }}/{{ event.n }}"}
`

func (s *scene) write() error {
	var sources []string
	for _, n := range topics.All() {
		sources = append(sources, string(n))
	}
	quoted := make([]string, 0, nodes)
	for _, b := range s.cluster.brokers() {
		quoted = append(quoted, fmt.Sprintf("%q", b))
	}
	timeout := s.row.timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	config := fmt.Sprintf(`kafka: {brokers: [%s], group: %s, start: latest, session_timeout: %s}
rules: rules.yaml
http: {listen: "127.0.0.1:0"}
log: {format: json}
channels:
  hook: {webhook: {url: "%s/hook"}, concurrency: %d, partitions: %d, timeout: %s}
  desk: {webhook: {url: "%s/desk"}, concurrency: %d, partitions: %d}
  mail:
    email: {server: "%s", from: alerts@example.com, to: [desk@example.com], ca: "%s", connections: %d}
    concurrency: %d
    partitions: %d
    digest: off
`, strings.Join(quoted, ", "), s.group, s.row.session, s.sink.url, concurrency[hook], outboxPartitions[hook], timeout,
		s.sink.url, concurrency[desk], outboxPartitions[desk],
		s.post.proxy.addr, filepath.Join(s.post.dir, "ca.pem"), concurrency[mail], concurrency[mail], outboxPartitions[mail])
	if err := os.WriteFile(filepath.Join(s.files, "notifier.yaml"), []byte(config), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.files, "rules.yaml"), fmt.Appendf(nil, rules, strings.Join(sources, ", ")), 0o644)
}

// command runs one of notifier's commands on the scene's configuration.
func (s *scene) command(ctx context.Context, args ...string) (string, error) {
	return s.commandIn(ctx, s.files, args...)
}

// start starts a daemon in a slot; one that is static has its slot's name.
func (s *scene) start(slot int) (*daemon, error) {
	instance := ""
	if s.row.static {
		instance = fmt.Sprint("chaos-", slot)
	}
	d, err := launch(s.binary, s.files, fmt.Sprint("daemon-", slot), instance, s.hear)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.daemons = append(s.daemons, d)
	return d, nil
}

// hear takes note of what a daemon logs.
func (s *scene) hear(line logLine) {
	switch {
	case s.resting.Load(): // it stops because we ask it to
	case line.Msg == "partitions lost":
		s.ledger.disturb(line.Msg, 100*time.Millisecond)
	case line.Msg == "partitions revoked":
		s.ledger.disturb(line.Msg, 100*time.Millisecond)
		s.mu.Lock()
		s.revoked++
		s.mu.Unlock()
	case line.Level == "ERROR":
		s.mu.Lock()
		s.errors[line.Msg]++
		first := s.errors[line.Msg] == 1
		s.mu.Unlock()
		if first {
			s.say("    daemon: %s", line.text)
		}
	}
}

func (s *scene) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *scene) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil && err != nil {
		s.failed = err
	}
}

// forget takes a daemon that has ended from the list of those that run.
func (s *scene) forget(d *daemon) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.daemons = slices.DeleteFunc(s.daemons, func(other *daemon) bool { return other == d })
}

// running returns the daemons that were started and not ended by us.
func (s *scene) running() []*daemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.daemons)
}

// leave stops a daemon in the background.
func (s *scene) leave(d *daemon) {
	s.forget(d)
	s.stopped.Go(func() { s.fail(d.stop()) })
}

// play plays a row from fresh topics to its verdict.
func (st *stage) play(ctx context.Context, r *row) (*scene, *ledger.Verdict, error) {
	s := &scene{
		stage: st, row: r, ledger: newLedger(), errors: make(map[string]int),
		group: "chaos-" + r.name, files: filepath.Join(st.dir, "rows", r.name), random: rand.New(rand.NewPCG(st.seed, 2)),
	}
	if st.short { // what is on its way takes time to come to rest
		r.mix.ahead = min(r.mix.ahead, 4_000)
	}
	if r.session == 0 {
		r.session = 15 * time.Second
	}
	if err := os.MkdirAll(s.files, 0o755); err != nil {
		return s, nil, err
	}
	if err := s.write(); err != nil {
		return s, nil, err
	}
	st.sink.ledger.Store(s.ledger)
	st.sink.set(nil)
	defer s.end()
	if err := s.act(ctx); err != nil {
		return s, nil, err
	}
	dead, err := s.deadLetters(ctx)
	if err == nil {
		err = s.commits(ctx)
	}
	if err != nil {
		return s, nil, err
	}
	v := s.ledger.judge(dead, r.terms(s))
	if err := os.WriteFile(filepath.Join(s.files, "duplicates"), s.ledger.account(), 0o644); err != nil {
		return s, nil, err
	}
	if s.failed != nil {
		v.Fail(ledger.Mistake, "%v", s.failed)
	}
	return s, v, nil
}

// act is the row itself: everything runs, is broken, fixed, and comes to rest.
func (s *scene) act(ctx context.Context) error {
	if err := s.topics(ctx); err != nil {
		return err
	}
	collecting, stopCollecting := context.WithCancel(ctx)
	var collected sync.WaitGroup
	collected.Go(func() { s.post.collect(collecting, s.ledger) })
	defer collected.Wait()
	defer stopCollecting()

	for slot := range s.row.daemons {
		d, err := s.start(slot)
		if err != nil {
			return err
		}
		if err := d.ready(ctx); err != nil {
			return err
		}
	}
	load, err := newProducer(s.cluster, s.ledger, s.row.mix, s.seed, &s.quiet, s.fail)
	if err != nil {
		return err
	}
	producing, stopProducing := context.WithCancel(ctx)
	var produced sync.WaitGroup
	produced.Go(func() { load.run(producing, ctx) })
	if s.row.replays {
		produced.Go(func() { s.replay(producing) })
	}
	defer produced.Wait()
	defer stopProducing()
	if err := s.delivered(ctx, 100); err != nil {
		return err
	}

	if err := s.row.during(ctx, s); err != nil {
		return err
	}
	fixed := time.Now()
	if err := s.caughtUp(ctx, fixed); err != nil {
		return err
	}
	s.recover = time.Since(fixed)

	stopProducing()
	produced.Wait()
	if err := s.settled(ctx); err != nil {
		return err
	}
	s.resting.Store(true)
	for _, d := range s.running() {
		s.leave(d)
	}
	s.stopped.Wait()
	s.post.sweep(s.ledger)
	return nil
}

// topics makes the sources and our own again.
func (s *scene) topics(ctx context.Context) error {
	if err := s.cluster.restore(ctx); err != nil {
		return err
	}
	if err := s.drop(ctx); err != nil {
		return err
	}
	if _, err := s.command(ctx, "topics", "create", "--partitions", "6", "--replication", "3"); err != nil {
		return err
	}
	return s.cluster.whole(ctx)
}

// drop deletes all topics but Kafka's own.
func (s *scene) drop(ctx context.Context) error {
	return until(ctx, time.Minute, "the topics are deleted", func(ctx context.Context) bool {
		listed, err := s.cluster.admin.ListTopics(ctx)
		if err != nil {
			return false
		}
		names := listed.Names()
		if len(names) > 0 {
			_, err = s.cluster.admin.DeleteTopics(ctx, names...)
		}
		return err == nil && len(names) == 0
	})
}

// delivered waits until so many more alerts were taken.
func (s *scene) delivered(ctx context.Context, more int) error {
	want := s.ledger.deliveries() + more
	return s.wait(ctx, 2*time.Minute, fmt.Sprintf("%d more alerts are taken", more), func(context.Context) bool { return s.ledger.deliveries() >= want })
}

// wait is until, but ends early when a daemon does.
func (s *scene) wait(ctx context.Context, within time.Duration, what string, holds func(context.Context) bool) error {
	var ended error
	err := until(ctx, within, what, func(ctx context.Context) bool {
		for _, d := range s.running() {
			select {
			case <-d.gone:
				ended = fmt.Errorf("%s ended by itself: %w; see %s", d.name, d.err, s.files)
				return true
			default:
			}
		}
		return holds(ctx)
	})
	return errors.Join(ended, err)
}

// caughtUp waits until everything that was produced before an instant has its
// outcome.
func (s *scene) caughtUp(ctx context.Context, before time.Time) error {
	asked := time.Now()
	var oldest *ledger.Delivery
	err := s.wait(ctx, 5*time.Minute, "what was produced until now has its outcome", func(ctx context.Context) bool {
		oldest = s.ledger.oldest()
		if oldest == nil || oldest.Produced.After(before) {
			return true
		}
		if time.Since(asked) > 2*time.Second { // perhaps it is a dead letter
			asked = time.Now()
			if dead, err := s.deadLetters(ctx); err == nil {
				s.ledger.deadLettered(dead)
			}
		}
		return false
	})
	if err != nil && oldest != nil {
		return fmt.Errorf("%w: %s", err, oldest)
	}
	return err
}

// settled waits until everything has its outcome and both groups have
// committed that.
func (s *scene) settled(ctx context.Context) error {
	if err := s.caughtUp(ctx, time.Now()); err != nil {
		return err
	}
	var state string
	err := s.wait(ctx, 3*time.Minute, "all has its outcome and is committed", func(ctx context.Context) bool {
		if dead, err := s.deadLetters(ctx); err != nil {
			state = err.Error()
			return false
		} else {
			s.ledger.deadLettered(dead)
		}
		if n := s.ledger.poisonOpen(); n > 0 {
			state = fmt.Sprintf("%d poison records have no dead letter", n)
			return false
		}
		for _, group := range []string{s.group, topics.OutboxGroup(s.group)} {
			lag, err := s.lag(ctx, group)
			if err != nil || lag != 0 {
				state = fmt.Sprintf("group %s lags by %d (%v)", group, lag, err)
				return false
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, state)
	}
	return nil
}

func (s *scene) lag(ctx context.Context, group string) (int64, error) {
	lags, err := s.cluster.admin.Lag(ctx, group)
	if err != nil {
		return 0, err
	}
	l, ok := lags[group]
	if !ok {
		return 0, errors.New("no such group")
	}
	return l.Lag.Total(), l.Error()
}

// commits enters how far both groups have committed, and where the logs end.
func (s *scene) commits(ctx context.Context) error {
	groups := []string{s.group, topics.OutboxGroup(s.group)}
	lags, err := s.cluster.admin.Lag(ctx, groups...)
	if err != nil {
		return err
	}
	for _, group := range groups {
		for _, l := range lags[group].Lag.Sorted() {
			if l.End.Offset > 0 { // else there is nothing to commit
				s.ledger.committed(group, ledger.Place{Topic: l.Topic, Partition: l.Partition, Offset: l.End.Offset}, l.Commit.At)
			}
		}
	}
	return nil
}

// deadLetters reads all dead letters, including closed ones.
func (s *scene) deadLetters(ctx context.Context) ([]ledger.DeadLetter, error) {
	s.mu.Lock()
	list := slices.Clone(s.kept)
	s.mu.Unlock()
	err := dlq.NewReader(s.cluster.client, s.group).Each(ctx, dlq.Query{Closed: true}, func(e *dlq.Entry) bool {
		list = append(list, deadLetterOf(e))
		return true
	})
	return list, err
}

// replay has dead letters sent again, a few at a time. A command that comes at
// a bad moment fails: its operator tries again.
func (s *scene) replay(ctx context.Context) {
	for pause(ctx, 4*time.Second) == nil {
		for _, args := range [][]string{{"--reason", "refused", "--limit", "15"}, {"--reason", "undecodable", "--limit", "2"}} {
			if _, err := s.command(ctx, append([]string{"dlq", "replay", "--yes"}, args...)...); err == nil {
				s.mu.Lock()
				s.replays++
				s.mu.Unlock()
			}
		}
	}
}

// end leaves nothing running.
func (s *scene) end() {
	for _, d := range s.running() {
		d.kill()
	}
	s.stopped.Wait()
	s.sink.set(nil)
	for _, p := range append(s.cluster.proxy[:], s.post.proxy) {
		p.reset(context.Background())
	}
}

// errorLines are the lines at error level: each meant that an operator must act.
func (s *scene) errorLines() []string {
	var list []string
	for msg, n := range s.errors {
		list = append(list, fmt.Sprintf("%d× %s", n, msg))
	}
	sort.Strings(list)
	return list
}
