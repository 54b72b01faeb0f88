package backtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/silence"
)

var seeds = flag.Uint64("seeds", 200, "how many histories are drawn")

const drawnRules = `version: 1
timezone: America/New_York
digest: {window: 30s, critical_window: 10s, max_window: 5m, max_items: 5, collapse_over: 4}
rules:
  - {name: plain, topic: trade-executions, when: event.a == 1, severity: info, to: [chat, mail], title: plain}
  - {name: throttled, topic: trade-executions, when: event.a == 2, key: [event.k], throttle: 5m, to: [chat, mail, hook], title: throttled}
  - {name: grouped, topic: trade-executions, when: event.a == 3, key: [event.k], group_by: [event.g], throttle: 2m, expire: 3m, to: [chat, mail], title: grouped}
  - {name: clears, topic: trade-executions, when: event.a == 4, clear: event.a == 5, remind: 15m, key: [event.k], severity: 'event.b ? "critical" : "warning"', to: [chat, hook], title: clears}
`

// draw returns a history: alerts with the times at which they arrive, in order.
func draw(rnd *rand.Rand, begin time.Time) (history []arrival) {
	at := begin
	for i := range 80 + rnd.IntN(160) {
		switch rnd.IntN(20) {
		case 0:
			at = at.Add(time.Duration(rnd.IntN(1200)) * time.Second)
		case 1, 2, 3:
			at = at.Add(time.Duration(rnd.IntN(30_000)) * time.Millisecond)
		case 4, 5, 6, 7: // at once
		default:
			at = at.Add(time.Duration(rnd.IntN(900)) * time.Millisecond)
		}
		a := &alert.Alert{
			ID: fmt.Sprint("al_", i), Severity: alert.Warning, WorstSeverity: alert.Warning, Key: []string{fmt.Sprint("k", rnd.IntN(6))}, EventTime: at,
			Topic: "trade-executions", Title: alert.Text{{Text: fmt.Sprint("alert ", i)}}, Channels: []string{"chat", "mail"},
		}
		if rnd.IntN(10) == 0 {
			a.EventTime = at.Add(-time.Duration(rnd.IntN(400)) * time.Second)
		}
		switch rnd.IntN(8) {
		case 0:
			a.Rule, a.Severity, a.WorstSeverity, a.Key = "plain", alert.Info, alert.Info, []string{}
		case 1, 2:
			a.Rule, a.Throttle, a.Channels = "throttled", 5*time.Minute, []string{"chat", "mail", "hook"}
			if until := begin.Add(20 * time.Minute); at.Before(until) && rnd.IntN(4) == 0 {
				a.QuietIn = []alert.Quiet{{Channel: "mail", Calendar: "lunch", Until: until}}
			}
		case 3, 4, 5:
			a.Rule, a.Throttle, a.Expire, a.Group = "grouped", 2*time.Minute, 3*time.Minute, []string{fmt.Sprint("g", rnd.IntN(12))}
			if rnd.IntN(4) == 0 {
				a.Throttle = 0
			}
		default:
			a.Rule, a.Clears, a.Remind, a.WorstSeverity, a.Channels = "clears", true, 15*time.Minute, alert.Critical, []string{"chat", "hook"}
			switch rnd.IntN(5) {
			case 0:
				a.Severity = alert.Critical
			case 1, 2:
				a.State = alert.Resolved
			}
		}
		history = append(history, arrival{at, a, envelope.Source{Topic: "trade-executions", Offset: int64(i), Time: at, Key: fmt.Append(nil, "s", rnd.IntN(5))}})
	}
	return history
}

type arrival struct {
	at     time.Time
	alert  *alert.Alert
	source envelope.Source
}

// drawnChannels are one as on Slack, a slow one, and one for machines.
func drawnChannels(rnd *rand.Rand) map[string]Channel {
	config := func(change func(*dispatch.Config)) dispatch.Config {
		c := dispatch.Config{Concurrency: 1 + rnd.IntN(4), Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Timeout: 10 * time.Second, Ambiguous: dispatch.Resend, Partitions: 6}
		change(&c)
		if c.SingleOwner() {
			c.Partitions = 1 + rnd.IntN(3)
		}
		return c
	}
	latency := []time.Duration{0, 7 * time.Millisecond, 433 * time.Millisecond}[rnd.IntN(3)]
	return map[string]Channel{
		"chat": {Edits: true, Latency: latency, Config: config(func(c *dispatch.Config) { c.Pace, c.Digest.On = dispatch.Pace{Rate: 1, Burst: 3}, true })},
		"mail": {Config: config(func(c *dispatch.Config) {
			c.Pace, c.Digest = dispatch.Pace{Rate: 0.05, Burst: 1}, digest.Setting{On: rnd.IntN(2) == 0, Own: digest.Config{Window: time.Minute}}
		})},
		"hook": {Config: config(func(*dispatch.Config) {})},
	}
}

// TestDrawnHistoriesEndAsTheyDoLive: the same messages, texts and times included, and the
// same decisions, as of dispatchers that run in goroutines.
func TestDrawnHistoriesEndAsTheyDoLive(t *testing.T) {
	rules, faults := rule.Compile("rules.yaml", []byte(drawnRules), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	total := 0
	for seed := range *seeds {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 17))
			begin := time.Now()
			channels, history := drawnChannels(rnd), draw(rnd, begin)
			until := history[len(history)-1].at.Add(time.Hour)
			var silences []*silence.Silence
			if rnd.IntN(2) == 0 {
				m, _ := silence.ParseMatcher("rule=grouped")
				one, err := silence.New([]silence.Matcher{m}, begin, begin.Add(time.Duration(1+rnd.IntN(20))*time.Minute), "ann", "a test", false)
				if err != nil {
					t.Fatal(err)
				}
				silences = append(silences, one)
			}

			var want, got, wantEnds, gotEnds []string
			s := New(Params{
				Channels: channels, Rules: rules, Silences: silences,
				OnMessage:  func(m Message) { got = append(got, m.describe()) },
				OnDecision: func(r *deliverylog.Record) { gotEnds = append(gotEnds, ended(r)) },
			})
			for _, a := range history {
				s.Add(a.at, a.alert, a.source)
			}
			s.Finish(until)

			lines, window := make(map[string]*lived), &dispatch.Window{Deliveries: 4096, Bytes: 16 << 20}
			for name, c := range channels {
				lines[name] = live(name, c, rules, silences, window)
			}
			for _, a := range history {
				time.Sleep(time.Until(a.at))
				synctest.Wait()
				for _, name := range a.alert.Channels {
					e := &envelope.Envelope{Source: a.source, Alert: a.alert.In(name), Channel: name, Delivery: alert.NewDelivery(a.alert.ID, name), Channels: a.alert.Channels}
					lines[name].take(e)
				}
				synctest.Wait()
			}
			time.Sleep(time.Until(until))
			synctest.Wait()
			for _, l := range lines {
				_ = l.dispatcher.Close()
				for _, m := range l.told() {
					want = append(want, m.describe())
				}
				for _, r := range l.records {
					wantEnds = append(wantEnds, ended(r))
				}
			}
			compare(t, seed, "messages", want, got)
			compare(t, seed, "decisions", wantEnds, gotEnds)
			total += len(got)
		})
	}
	if t.Logf("%d messages", total); total < 100*int(*seeds) {
		t.Errorf("only %d messages were compared", total)
	}
}

// describe writes a message on one line, the time first.
func (m Message) describe() string {
	return fmt.Sprintf("%s %+v", m.At.UTC().Format("02 15:04:05.000"), strings.ReplaceAll(fmt.Sprintf("%+v", struct {
		Message
		At, EventTime string
	}{m, "", m.EventTime.UTC().Format("15:04:05.000")}), "\n", " | "))
}

func ended(r *deliverylog.Record) string {
	return fmt.Sprint(r.Ended.UTC().Format("02 15:04:05.000 "), r.Channel, " ", r.Rule, " ", r.Title, r.Reminder, " ", r.Decision, " ", r.Detail)
}

// compare reports the first lines in which two lists differ, whatever their order at one time.
func compare(t *testing.T, seed uint64, what string, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(want, got) {
		return
	}
	i := 0
	for i < min(len(want), len(got)) && want[i] == got[i] {
		i++
	}
	line := func(list []string) string {
		if i < len(list) {
			return list[i]
		}
		return "nothing"
	}
	t.Errorf("seed %d: %d %s, %d live; number %d differs:\n  simulated %s\n  live      %s", seed, len(got), what, len(want), i, line(got), line(want))
}
