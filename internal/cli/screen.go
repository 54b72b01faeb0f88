package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/channel/console"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/devbroker"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// screen is the output of dev besides the alerts: a head, dead letters, a summary at
// intervals, and suggested commands.
type screen struct {
	out     *console.Writer
	kafka   string
	now     func() time.Time
	started time.Time

	mu     sync.Mutex
	poison string // id of the first undecodable record; empty: none yet
}

func newScreen(g *base.Globals, kafka string) *screen {
	return &screen{out: console.NewWriter(g.IO.Out), kafka: kafka, now: time.Now}
}

// summaryEvery is the interval of the summary, the first one with suggestions.
const summaryEvery = 25 * time.Second

// head writes the first line.
func (s *screen) head(web string, sources, rules int, d devFlags) {
	s.started = s.now()
	samples := fmt.Sprintf("%s events/s  seed %d", humanize.Ftoa(d.rate), d.seed)
	if d.noSamples {
		samples = "no samples"
	}
	line := "notifier dev"
	for _, part := range []string{"kafka " + s.kafka, base.DisplayURL(web), plural.Count(sources, "topic"), plural.Count(rules, "rule"), samples} {
		if uniseg.StringWidth(line)+2+uniseg.StringWidth(part) > s.out.Width() {
			s.line("%s", line)
			line = ""
		}
		line += "  " + part
	}
	s.line("%s", line)
}

// deadLetter shows a new entry.
func (s *screen) deadLetter(e *dlq.Entry) {
	source := term.Visible(e.Where())
	command := "dlq show " + shortID(e.ID)
	s.mu.Lock()
	if s.poison == "" && e.Reason == outcome.Undecodable {
		s.poison = shortID(e.ID)
	}
	s.mu.Unlock()
	const least = 10 // columns of the detail
	around := len(" 15:04:05  dead      ") + len("  ") + len(command) + len("  ")
	source = term.CutSource(source, max(s.out.Width()-around-least, least))
	room := s.out.Width() - around - uniseg.StringWidth(source)
	detail := term.Cut(term.Visible(e.Detail), max(room, least))
	word := "dead "
	if e.Replays > 0 {
		word = "again"
	}
	s.line(" %s  %s     %s  %s%s  %s", s.now().Format(time.TimeOnly), word, source, detail,
		strings.Repeat(" ", max(room-uniseg.StringWidth(detail), 0)), command)
}

// resolved shows a closed entry.
func (s *screen) resolved(c dlq.Closure) {
	if c.By == "" {
		return // by the daemon: delivered after all
	}
	by := "by " + c.By
	if c.Comment != "" {
		by += ": " + c.Comment
	}
	s.line(" %s  %s  %s  %s", s.now().Format(time.TimeOnly), c.State, term.Visible(shortID(string(c.Key))), term.Visible(by))
}

// reloaded says that changed rules are in force, or why they were refused.
func (s *screen) reloaded(rules int, problem string) {
	text := "applied: " + plural.Count(rules, "rule")
	if problem != "" {
		text = "refused, the former ones stay in force: " + problem
	}
	start := " " + s.now().Format(time.TimeOnly) + "  rules     "
	for _, line := range term.Wrap(term.Visible(text), s.out.Width()-len(start)) {
		s.line("%s%s", start, line)
		start = strings.Repeat(" ", len(start))
	}
}

// shortID abbreviates an id.
func shortID(id string) string { return id[:min(7, len(id))] }

// summary holds the totals since the start.
type summary struct {
	events, alerts, throttled, deadLetters, lag int64
}

func (a summary) String() string {
	text := plural.Count(a.events, "event") + "  " + plural.Count(a.alerts, "alert")
	if a.throttled > 0 {
		text += fmt.Sprintf(" (%s more throttled)", humanize.Comma(a.throttled))
	}
	text += "  " + plural.Count(a.deadLetters, "dead letter")
	if a.lag >= 0 {
		text += "  lag " + humanize.Comma(a.lag)
	}
	return text
}

func (s *screen) summary(a summary) { s.beside(" "+s.now().Format(time.TimeOnly), "  ", a.String()) }

// try suggests commands.
func (s *screen) try(rules string) {
	brokers := ""
	if s.kafka != devbroker.DefaultAddr {
		brokers = " --brokers " + s.kafka
	}
	s.command(" try:  ", base.Self()+" dlq list"+brokers)
	s.mu.Lock()
	poison := s.poison
	s.mu.Unlock()
	if poison != "" {
		s.command("", `echo '{"event_type":"order.rejected","symbol":"TSLA"}' |`, base.Self()+" dlq replay "+poison+" --payload - --yes"+brokers)
	}
	s.command("", base.Self()+" produce trade-executions --sample order.rejected"+brokers)
	s.command("", `echo '{"event_type":"order.rejected","account_id":"A7","symbol":"AMD"}' |`,
		"kcat -P -b "+s.kafka+" -t "+string(topics.TradeExecutions)+" -k me -X partitioner=murmur2_random")
	if rules != "" {
		s.line("       edit %s: a change applies within seconds", rules)
	}
}

// command writes a command, its parts in lines of their own. A shell reads it as it is
// shown: a part that is wider than the terminal is continued with a backslash.
func (s *screen) command(name string, parts ...string) {
	const indent, deeper, end = 7, 2, len(` \`)
	for i, part := range parts {
		lines := []string{part}
		if indent+deeper*i+uniseg.StringWidth(part) > s.out.Width() {
			lines = term.Wrap(part, s.out.Width()-indent-2*deeper-end)
		}
		for j, line := range lines {
			if j < len(lines)-1 {
				line += ` \`
			}
			s.line("%-*s%*s%s", indent, name, deeper*min(i+j, 2), "", line)
			name = ""
		}
	}
}

// end writes the last lines.
func (s *screen) end(a summary, d devFlags) {
	a.lag = -1
	s.beside(fmt.Sprintf(" stopped after %s:", s.now().Sub(s.started).Round(time.Second)), " ", a.String())
	if d.dataDir == "" {
		s.beside(" next: "+base.Self()+" dev --data-dir ./dev-data", "   ", "keeps events and dead letters")
	} else {
		s.line(" kept in %s; the same command continues from it", d.dataDir)
	}
	s.beside("       "+base.Self()+" run --brokers HOST:PORT", "   ", "with your Kafka")
}

// beside writes two texts, the second in the next line where there is no room.
func (s *screen) beside(first, between, second string) {
	if uniseg.StringWidth(first+between+second) > s.out.Width() {
		between = "\n         "
	}
	s.line("%s%s%s", first, between, second)
}

func (s *screen) line(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// watch shows the summary until ctx ends.
func (s *screen) watch(ctx context.Context, reg *prometheus.Registry, group, rulesFile string) {
	tick := time.NewTicker(summaryEvery)
	defer tick.Stop()
	tried := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.summary(totals(reg, group))
		if !tried {
			s.try(rulesFile)
			tried = true
		}
	}
}

// totals reads the summary from the metrics. The lag is that of the group and of its
// outboxes as 'notifier lag' shows it; -1 before the first sample.
func totals(reg *prometheus.Registry, group string) summary {
	a := summary{lag: -1}
	families, err := reg.Gather()
	if err != nil {
		return a
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			value := int64(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			outcome := labels["outcome"]
			switch name := f.GetName(); {
			case name == "notifier_records_total":
				a.events += value
			case name == "notifier_deliveries_total" && (outcome == "delivered" || outcome == "digested"):
				a.alerts += value
			case name == "notifier_deliveries_total" && outcome == "throttled":
				a.throttled += value
			case name == "notifier_dead_letters_total":
				a.deadLetters += value
			case name == "notifier_consumer_lag_records" && (labels["group"] == group || labels["group"] == topics.OutboxGroup(group)):
				a.lag = max(a.lag, 0) + value
			}
		}
	}
	return a
}

// show runs the daemon, the sample events and the summary until ctx ends or one of
// them fails.
func (s *screen) show(ctx context.Context, c daemon.Config, deps daemon.Deps, d devFlags, rulesFile string) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	started := false
	deps.Registry = prometheus.NewRegistry()
	deps.Started = func(http string) {
		started = true
		s.head(http, len(topics.All()), len(c.Rules.Rules()), d)
		wg.Go(func() { s.watch(ctx, deps.Registry, c.Kafka.Group, rulesFile) })
		if !d.noSamples {
			wg.Go(func() {
				if err := play(ctx, &c.Kafka, deps.Logger, d); err != nil {
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
		s.end(totals(deps.Registry, c.Kafka.Group), d)
	}
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, base.ErrSignal) {
		err = cause
	}
	return err
}
