package explain

import (
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
)

// document is the JSON of a report; the names are a contract.
type document struct {
	Event     eventJSON     `json:"event"`
	Problem   string        `json:"problem,omitempty"` // why no rule sees it
	Cause     outcome.Cause `json:"cause,omitempty"`   // of an event that cannot be decoded
	Dead      *deadJSON     `json:"dead_letter,omitempty"`
	Committed *int64        `json:"committed"` // the group's offset in the partition; null: not known
	Evaluated *time.Time    `json:"evaluated_at,omitempty"`
	Rules     []ruleJSON    `json:"rules"` // those that the event raises, then the others, the nearest first
	// Deliveries are those of an alert whose event is gone.
	Deliveries []*delivery `json:"deliveries,omitempty"`
	Notes      []string    `json:"notes,omitempty"`
}

type eventJSON struct {
	Topic     string     `json:"topic,omitempty"`
	Partition *int32     `json:"partition,omitempty"`
	Offset    *int64     `json:"offset,omitempty"`
	ID        string     `json:"id,omitempty"`
	Type      string     `json:"type,omitempty"`
	Time      *time.Time `json:"time,omitempty"`
	Key       *string    `json:"key,omitempty"`
	KeyBase64 string     `json:"key_base64,omitempty"` // instead of key when that is not UTF-8
	Repaired  string     `json:"repaired,omitempty"`
}

type deadJSON struct {
	ID    string `json:"id"`
	State string `json:"state,omitempty"` // empty: there is none
}

type ruleJSON struct {
	rule.Explanation
	Alert      *alertJSON     `json:"alert"`
	Deliveries []*delivery    `json:"deliveries"`
	Now        []forecastJSON `json:"now"` // null: not known
}

type alertJSON struct {
	ID       string      `json:"id,omitempty"`
	Severity string      `json:"severity"`
	Key      []string    `json:"key"`
	Group    []string    `json:"group"`
	Title    string      `json:"title"`
	Text     string      `json:"text,omitempty"`
	Fields   []fieldJSON `json:"fields"`
	Channels []string    `json:"channels"`
	Quiet    []quietJSON `json:"quiet,omitempty"`
}

type fieldJSON struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

type quietJSON struct {
	Channel  string     `json:"channel"`
	Calendar string     `json:"calendar"`
	Until    *time.Time `json:"until"`
}

// forecastJSON is what would become of an alert of an event like this one now.
type forecastJSON struct {
	Channel  string     `json:"channel"`
	Decision string     `json:"decision"` // sent, or as in the delivery log; unneeded: there is nothing to resolve
	Why      string     `json:"why,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
}

func (r *report) json() document {
	d := document{Problem: r.problem, Cause: r.cause, Rules: []ruleJSON{}, Notes: r.notes}
	if r.place != nil {
		d.Event.Topic, d.Event.Partition, d.Event.Offset = string(r.place.Topic), &r.place.Partition, &r.place.Offset
	}
	if r.committed >= 0 && r.place != nil {
		d.Committed = &r.committed
	}
	if r.dead != nil {
		d.Dead = &deadJSON{r.dead.ID, string(r.dead.State)}
	} else if r.cause != "" && r.deadID != "" {
		d.Dead = &deadJSON{ID: r.deadID}
	}
	if ev := r.event; ev != nil {
		d.Event.Topic, d.Event.ID, d.Event.Type, d.Event.Time, d.Event.Repaired = ev.Record.Topic, ev.ID, ev.Type, base.OptionalTime(ev.Time), ev.Repaired
		if key := ev.Record.Key; utf8.Valid(key) && key != nil {
			text := string(key)
			d.Event.Key = &text
		} else if key != nil {
			d.Event.KeyBase64 = base64.StdEncoding.EncodeToString(key)
		}
		d.Evaluated = base.OptionalTime(r.now)
	} else {
		for _, list := range r.deliveries {
			d.Deliveries = append(d.Deliveries, list...)
		}
	}
	raised, misses := r.sorted()
	for _, e := range append(raised, misses...) {
		d.Rules = append(d.Rules, r.ruleJSON(e))
	}
	return d
}

func (r *report) ruleJSON(e rule.Explanation) ruleJSON {
	j := ruleJSON{Explanation: e, Deliveries: append([]*delivery{}, r.deliveries[e.Rule]...)}
	if a := e.Alert; a != nil {
		j.Alert = &alertJSON{Severity: string(a.Severity), Key: a.Key, Group: a.GroupParts(), Title: a.Title.String(), Text: a.Text.String(), Fields: []fieldJSON{}, Channels: a.Channels}
		if r.place != nil && r.source.Cluster != "" {
			j.Alert.ID = r.alertID(a)
		}
		for _, f := range a.Fields {
			j.Alert.Fields = append(j.Alert.Fields, fieldJSON{f.Label, f.Value.String()})
		}
		for _, q := range a.QuietIn {
			j.Alert.Quiet = append(j.Alert.Quiet, quietJSON{q.Channel, q.Calendar, base.OptionalTime(q.Until)})
		}
	}
	if r.outlook == nil && len(r.again) > 0 || e.Result == rule.No {
		return j
	}
	j.Now = []forecastJSON{}
	for i := range r.again {
		if a := &r.again[i]; a.Rule == e.Rule {
			for _, c := range a.Channels {
				j.Now = append(j.Now, forecast(c, a, r))
			}
		}
	}
	return j
}

func forecast(name string, a *alert.Alert, r *report) forecastJSON {
	f := r.outlook.Of(a, name)
	j := forecastJSON{Channel: name, Decision: string(f.Decision), Why: f.Why, Until: base.OptionalTime(f.Until)}
	if f.Decision == "" {
		j.Decision = "sent"
	}
	return j
}
