package backtest

import (
	"math"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/outcome"
)

// summaryJSON is the result as JSON; the names are a contract.
type summaryJSON struct {
	Type        string           `json:"type"` // summary
	Topics      []string         `json:"topics"`
	Since       time.Time        `json:"since"`
	Until       time.Time        `json:"until"`    // below this all is counted
	Complete    bool             `json:"complete"` // false: it was stopped there
	Events      int64            `json:"events"`
	Seconds     float64          `json:"seconds"`
	Rate        int64            `json:"events_per_second"`
	DeadLetters []deadLetterJSON `json:"dead_letters"`
	Versions    []versionJSON    `json:"versions"` // of the rules, with --diff the old one first
	Differences []differenceJSON `json:"differences,omitempty"`
}

type deadLetterJSON struct {
	Topic string        `json:"topic"`
	Cause outcome.Cause `json:"cause"`
	Count int           `json:"count"`
}

type versionJSON struct {
	File     string        `json:"file"`
	Pending  int           `json:"pending"` // deliveries that wait at the end
	Rules    []ruleJSON    `json:"rules"`
	Channels []channelJSON `json:"channels"`
}

type ruleJSON struct {
	Rule     string `json:"rule"`
	Alerts   int    `json:"alerts"` // that fire
	Critical int    `json:"critical"`
	Warning  int    `json:"warning"`
	Info     int    `json:"info"`
	Resolved int    `json:"resolved"`
}

type channelJSON struct {
	Channel     string                       `json:"channel"`
	Messages    int                          `json:"messages"` // edits included
	Edits       int                          `json:"edits"`
	Decisions   map[deliverylog.Decision]int `json:"decisions"`
	Hours       []hourJSON                   `json:"hours"` // those with messages
	WorstMinute *minuteJSON                  `json:"worst_minute"`
	LateP50     float64                      `json:"late_p50_seconds"`
	LateMax     float64                      `json:"late_max_seconds"`
	Groups      int                          `json:"groups"`         // messages that are the first of their group
	Soon        int                          `json:"groups_in_time"` // within 10 s
	First       []messageJSON                `json:"first"`          // messages
}

type hourJSON struct {
	From     time.Time `json:"from"`
	Messages int64     `json:"messages"`
}

type minuteJSON struct {
	From     time.Time `json:"from"`
	Messages int64     `json:"messages"`
}

type messageJSON struct {
	At        time.Time      `json:"at"`
	EventTime time.Time      `json:"event_time"`
	Severity  alert.Severity `json:"severity"`
	Rules     []string       `json:"rules"`
	Key       string         `json:"key"`
	Alerts    int            `json:"alerts"`
	Edit      bool           `json:"edit"`
	Resolved  bool           `json:"resolved"`
	Reminder  bool           `json:"reminder"`
	Title     string         `json:"title"`
	Text      string         `json:"text"`
}

type differenceJSON struct {
	Rule     string `json:"rule"`
	Gained   int    `json:"gained"`
	Lost     int    `json:"lost"`
	Severity int    `json:"severity"` // alerts with another severity
}

func (r *run) encode() error {
	j := summaryJSON{
		Type: "summary", Topics: r.topics, Since: r.since.UTC(), Until: r.complete.UTC(), Complete: !r.stopped,
		Events: r.total(), Seconds: rounded(r.took), Rate: r.rate(), DeadLetters: []deadLetterJSON{},
	}
	for _, d := range r.dead.causes {
		j.DeadLetters = append(j.DeadLetters, deadLetterJSON{d.topic, d.cause, d.n})
	}
	for _, v := range r.versions {
		j.Versions = append(j.Versions, v.json())
	}
	if r.compared != nil {
		for _, name := range r.compared.order {
			d := r.compared.rules[name]
			j.Differences = append(j.Differences, differenceJSON{name, d.gained, d.lost, d.changed})
		}
	}
	return base.NewEncoder(r.out).Encode(j)
}

func (v *version) json() versionJSON {
	j := versionJSON{File: v.set.name, Pending: v.pending}
	for _, one := range v.set.rules.Rules() {
		c := v.rules[one.Name]
		j.Rules = append(j.Rules, ruleJSON{one.Name, c.alerts, c.by[alert.Critical.Rank()], c.by[alert.Warning.Rank()], c.by[alert.Info.Rank()], c.resolved})
	}
	for _, name := range v.names {
		j.Channels = append(j.Channels, v.channels[name].json(name))
	}
	return j
}

func (c *channelCount) json(name string) channelJSON {
	p50, most := c.lateness()
	j := channelJSON{
		Channel: name, Messages: c.messages, Edits: c.edits, Decisions: c.decisions, Hours: []hourJSON{}, LateP50: rounded(p50), LateMax: rounded(most),
		Groups: c.groups, Soon: c.inTime, First: []messageJSON{},
	}
	for _, hour := range c.sortedHours() {
		j.Hours = append(j.Hours, hourJSON{time.Unix(hour*3600, 0).UTC(), c.hours[hour]})
	}
	if c.worst > 0 {
		j.WorstMinute = &minuteJSON{c.worstAt.UTC(), c.worst}
	}
	for _, m := range c.first {
		j.First = append(j.First, message(m))
	}
	return j
}

func message(m backtest.Message) messageJSON {
	return messageJSON{m.At.UTC(), m.EventTime.UTC(), m.Severity, m.Rules, m.AlertKey, m.Members, m.Edit, m.Resolved, m.Reminder, m.Title, m.Text}
}

// rounded is a duration in seconds, to the millisecond.
func rounded(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
