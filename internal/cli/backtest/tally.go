package backtest

import (
	"maps"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// version is one version of the rules, and what came of it.
type version struct {
	set
	engine   *backtest.Simulation
	rules    map[string]*ruleCount
	channels map[string]*channelCount
	names    []string // of the channels
	pending  int      // deliveries that wait at the end, for a digest or a rate limit
}

func newVersion(s set, l *config.Loaded, cluster string, show int) *version {
	v := &version{set: s, rules: make(map[string]*ruleCount), channels: make(map[string]*channelCount), names: l.Channels.Names()}
	for _, one := range s.rules.Rules() {
		v.rules[one.Name] = &ruleCount{}
	}
	channels := make(map[string]backtest.Channel)
	for _, name := range v.names {
		c := l.Channels.Get(name)
		channels[name] = backtest.Channel{Config: c.Dispatch, Edits: c.Edits()}
		v.channels[name] = &channelCount{show: show, decisions: make(map[deliverylog.Decision]int), hours: make(map[int64]int64)}
	}
	v.engine = backtest.New(backtest.Params{
		Channels: channels, Rules: s.rules, Group: l.Kafka.Group, Cluster: cluster, Window: l.Kafka.Window,
		OnMessage:  func(m backtest.Message) { v.channels[m.Channel].message(m) },
		OnDecision: func(r *deliverylog.Record) { v.channels[r.Channel].decisions[r.Decision]++ },
	})
	return v
}

// add counts an alert, and has the channels tell it.
func (v *version) add(at time.Time, a *alert.Alert, source envelope.Source) {
	c := v.rules[a.Rule]
	if a.State == alert.Resolved {
		c.resolved++
	} else {
		c.alerts++
		c.by[a.Severity.Rank()]++
	}
	v.engine.Add(at, a, source)
}

// ruleCount counts the alerts of a rule.
type ruleCount struct {
	alerts   int    // that fire
	by       [4]int // by the rank of their severity
	resolved int
}

// channelCount counts the messages of a channel. They come in the order of time.
type channelCount struct {
	messages, edits int
	decisions       map[deliverylog.Decision]int
	hours           map[int64]int64 // messages by the hour, since 1970
	minute, within  int64           // the minute of the last message, and how many it has
	worst           int64           // the most of a minute
	worstAt         time.Time
	late            []time.Duration // from the event to the message, of each that is not a reminder
	groups, inTime  int             // first messages of a group, and those of them that come soon
	show            int
	first           []backtest.Message // as many as are shown
}

// soon is how soon after its event people expect the first message of a group.
const soon = 10 * time.Second

func (c *channelCount) message(m backtest.Message) {
	c.messages++
	if m.Edit {
		c.edits++
	}
	if len(c.first) < c.show {
		c.first = append(c.first, m)
	}
	c.hours[m.At.Unix()/3600]++
	if minute := m.At.Unix() / 60; minute != c.minute {
		c.minute, c.within = minute, 0
	}
	if c.within++; c.within > c.worst {
		c.worst, c.worstAt = c.within, m.At.Truncate(time.Minute)
	}
	if m.Reminder {
		return
	}
	late := max(m.At.Sub(m.EventTime), 0)
	c.late = append(c.late, late)
	if m.Members == 1 && !m.Edit && !m.Resolved {
		if c.groups++; late <= soon {
			c.inTime++
		}
	}
}

// lateness returns the median and the maximum; zero: there was no message.
func (c *channelCount) lateness() (p50, most time.Duration) {
	if len(c.late) == 0 {
		return 0, 0
	}
	slices.Sort(c.late)
	return c.late[(len(c.late)-1)/2], c.late[len(c.late)-1]
}

// deadLetters counts events that could not be read, or took too many steps, by topic and
// cause.
type deadLetters struct {
	causes []deadLetter
}

type deadLetter struct {
	topic string
	cause outcome.Cause
	n     int
}

func (d *deadLetters) add(topic string, cause outcome.Cause) {
	i := slices.IndexFunc(d.causes, func(c deadLetter) bool { return c.topic == topic && c.cause == cause })
	if i < 0 {
		i = len(d.causes)
		d.causes = append(d.causes, deadLetter{topic: topic, cause: cause})
	}
	d.causes[i].n++
}

// sortedHours returns the hours with messages.
func (c *channelCount) sortedHours() []int64 { return slices.Sorted(maps.Keys(c.hours)) }
