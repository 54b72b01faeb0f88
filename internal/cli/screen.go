package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rivo/uniseg"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/channel/console"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/devbroker"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// screen is what dev shows beside the alerts: a head, dead letters as they are
// written, an account now and then, and what to try.
type screen struct {
	out   *console.Writer
	kafka string
	now   func() time.Time
	began time.Time

	mu     sync.Mutex
	poison string // the id of the first record that was no event; "": none yet
}

func newScreen(g *base.Globals, kafka string) *screen {
	return &screen{out: console.NewWriter(g.IO.Out), kafka: kafka, now: time.Now}
}

// accountEvery is how often the account is shown; the first time with what to
// try.
const accountEvery = 25 * time.Second

// head is the first line.
func (s *screen) head(web string, sources, rules int, d devFlags) {
	s.began = s.now()
	samples := fmt.Sprintf("%s events/s  seed %d", humanize.Ftoa(d.rate), d.seed)
	if d.noSamples {
		samples = "no samples"
	}
	s.line("notifier dev  kafka %s  %s  %s  %s  %s", s.kafka, base.ShownAt(web), term.Count(sources, "topic"), term.Count(rules, "rule"), samples)
}

// deadLetter shows one entry as it is written.
func (s *screen) deadLetter(e *dlq.Entry) {
	source := term.Visible(e.Where())
	command := "dlq show " + shortID(e.ID)
	s.mu.Lock()
	if s.poison == "" && e.Reason == outcome.Undecodable {
		s.poison = shortID(e.ID)
	}
	s.mu.Unlock()
	room := s.out.Width() - len(" 15:04:05  dead      ") - uniseg.StringWidth(source) - len("  ") - len(command) - len("  ")
	detail := term.Cut(term.Visible(e.Detail), max(room, 10))
	word := "dead "
	if e.Replays > 0 {
		word = "again"
	}
	s.line(" %s  %s     %s  %s%s  %s", s.now().Format(time.TimeOnly), word, source, detail,
		strings.Repeat(" ", max(room-uniseg.StringWidth(detail), 0)), command)
}

// resolved shows an entry as it is closed.
func (s *screen) resolved(c dlq.Closure) {
	if c.By == "" {
		return // nobody asked: a delivery was made after all
	}
	by := "by " + c.By
	if c.Comment != "" {
		by += ": " + c.Comment
	}
	s.line(" %s  %s  %s  %s", s.now().Format(time.TimeOnly), c.State, term.Visible(shortID(string(c.Key))), term.Visible(by))
}

// shortID is the beginning of an id, enough where there are few.
func shortID(id string) string { return id[:min(7, len(id))] }

// account is how things stand.
type account struct {
	events, alerts, throttled, deadLetters, lag int64
}

func (a account) String() string {
	text := term.Many(a.events, "event") + "  " + term.Many(a.alerts, "alert")
	if a.throttled > 0 {
		text += fmt.Sprintf(" (%s more throttled)", humanize.Comma(a.throttled))
	}
	text += "  " + term.Many(a.deadLetters, "dead letter")
	if a.lag >= 0 {
		text += "  lag " + humanize.Comma(a.lag)
	}
	return text
}

func (s *screen) account(a account) { s.line(" %s  %s", s.now().Format(time.TimeOnly), a) }

// try says what else can be done while dev runs.
func (s *screen) try(rules string) {
	there := ""
	if s.kafka != devbroker.DefaultAddr {
		there = " --brokers " + s.kafka
	}
	s.line(" try:  %s dlq list%s", base.Self(), there)
	s.mu.Lock()
	poison := s.poison
	s.mu.Unlock()
	if poison != "" {
		s.line(`       echo '{"event_type":"order.rejected","symbol":"TSLA"}' |`)
		s.line("         %s dlq replay %s --payload - --yes%s", base.Self(), poison, there)
	}
	s.line("       %s produce trade-executions --sample order.rejected%s", base.Self(), there)
	s.line(`       echo '{"event_type":"order.rejected","symbol":"TSLA"}' | kcat -P -b %s -t %s -k me -X partitioner=murmur2_random`, s.kafka, topics.TradeExecutions)
	if rules != "" {
		s.line("       edit %s and start again", rules)
	}
}

// end is the last word.
func (s *screen) end(a account, d devFlags) {
	a.lag = -1
	s.line(" stopped after %s: %s", s.now().Sub(s.began).Round(time.Second), a)
	if d.dataDir == "" {
		s.line(" next: %s dev --data-dir ./dev-data   keeps events and dead letters", base.Self())
	} else {
		s.line(" kept in %s; the same command goes on there", d.dataDir)
	}
	s.line("       %s run --brokers HOST:PORT   with a Kafka of yours", base.Self())
}

func (s *screen) line(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// watch shows the account until ctx ends.
func (s *screen) watch(ctx context.Context, reg *prometheus.Registry, c *kafka.Config, rulesFile string) {
	tick := time.NewTicker(accountEvery)
	defer tick.Stop()
	tried := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a := counted(reg)
		a.lag = lagOf(ctx, c)
		s.account(a)
		if !tried {
			s.try(rulesFile)
			tried = true
		}
	}
}

// counted reads the account off the metrics, which count everything once.
func counted(reg *prometheus.Registry) account {
	var a account
	families, err := reg.Gather()
	if err != nil {
		return a
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			value := int64(m.GetCounter().GetValue())
			outcome := ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" {
					outcome = l.GetValue()
				}
			}
			switch name := f.GetName(); {
			case name == "notifier_records_total":
				a.events += value
			case name == "notifier_deliveries_total" && outcome == "delivered":
				a.alerts += value
			case name == "notifier_deliveries_total" && outcome == "throttled":
				a.throttled += value
			case name == "notifier_dead_letters_total":
				a.deadLetters += value
			}
		}
	}
	return a
}

// lagOf returns how many records wait for either stage; -1 when that cannot be
// found out.
func lagOf(ctx context.Context, c *kafka.Config) int64 {
	opts, err := c.Options("lag", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return -1
	}
	cl, err := kadm.NewOptClient(opts...)
	if err != nil {
		return -1
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	lags, err := cl.Lag(ctx, c.Group, topics.OutboxGroup(c.Group))
	if err != nil {
		return -1
	}
	var total int64
	for _, g := range lags {
		if g.Error() == nil {
			total += g.Lag.Total()
		}
	}
	return total
}

// show runs the daemon with the story and the account beside it, until ctx
// ends or something fails.
func (s *screen) show(ctx context.Context, c daemon.Config, deps daemon.Deps, d devFlags, rulesFile string) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	started := false
	deps.Registry = prometheus.NewRegistry()
	deps.Started = func(http string) {
		started = true
		s.head(http, len(topics.All()), len(c.Rules.Rules()), d)
		wg.Go(func() { s.watch(ctx, deps.Registry, &c.Kafka, rulesFile) })
		if !d.noSamples {
			wg.Go(func() {
				if err := tell(ctx, &c.Kafka, deps.Logger, d); err != nil {
					stop(fmt.Errorf("play the sample events: %w", err))
				}
			})
		}
	}
	notifier, err := daemon.New(c, deps)
	if err != nil {
		return err
	}
	err = exitOf(notifier.Run(ctx))
	stop(nil)
	wg.Wait()
	if started {
		s.end(counted(deps.Registry), d)
	}
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, base.ErrSignal) {
		err = cause
	}
	return err
}
