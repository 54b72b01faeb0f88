package explain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/record"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// given returns the report of the event that the command names, and its record; nil: there
// is none that a rule sees, and the report says why.
func given(ctx context.Context, g *base.Globals, l *config.Loaded, o *options, c *cluster, decoder *event.Decoder) (*report, *event.Record, error) {
	r := &report{asked: time.Now(), told: told{group: l.Kafka.Group, committed: -1}}
	switch {
	case o.file != "":
		data, err := record.ReadFile(g.IO.In, o.file)
		if err != nil {
			return nil, nil, err
		}
		rec := event.Record{Topic: o.topic, Partition: -1, Offset: -1, Value: data, Time: r.asked, Arrived: r.asked}
		if rec.Topic == "" {
			rec.Topic, err = guess(g, l, decoder, data)
		}
		return r, &rec, err
	case o.alert != "":
		return r.ofAlert(ctx, o, c)
	}
	p, err := record.Parse(o.place)
	if err != nil {
		return nil, nil, err
	}
	rec, err := r.at(ctx, c, p)
	var absent *record.AbsentError
	if errors.As(err, &absent) && !absent.Ignored {
		return nil, nil, base.Fail(base.ExitFailed, "%w", err)
	}
	return r, rec, err
}

// at returns the record at a place. Of one that the notifier passes over the report says why.
func (r *report) at(ctx context.Context, c *cluster, p record.Place) (*event.Record, error) {
	r.place = &p
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	found, err := record.Find(ctx, c.client, p)
	var absent *record.AbsentError
	if errors.As(err, &absent) && absent.Ignored {
		r.problem = absent.Why
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rec := record.Event(found)
	return &rec, nil
}

// ofAlert returns the record of the event of an alert in the delivery log.
func (r *report) ofAlert(ctx context.Context, o *options, c *cluster) (*report, *event.Record, error) {
	if err := c.open(ctx); err != nil {
		return nil, nil, err
	}
	list, err := c.log().Find(ctx, o.alert)
	if err != nil {
		return nil, nil, c.explain(err)
	}
	first := list[0]
	r.deliveries = map[string][]*delivery{first.Rule: list}
	if o.rule == "" {
		o.rule = first.Rule
	}
	if first.Event.Topic == alert.Notifier {
		r.problem = "it is a notice of the notifier itself, which no rule raises"
		return r, nil, nil
	}
	topic, err := topics.Parse(first.Event.Topic)
	if err != nil {
		r.problem = fmt.Sprintf("its event is of the topic %s, which is no source", first.Event.Topic)
		return r, nil, nil
	}
	p := record.Place{Topic: topic, Partition: first.Event.Partition, Offset: first.Event.Offset}
	now, err := record.Identity(ctx, c.client, p)
	if err != nil {
		return nil, nil, err
	}
	if id := first.Event.TopicID; id != "" && id != now.Topic {
		r.place, r.problem = &p, fmt.Sprintf("its event is gone: %s was recreated since", topic)
		return r, nil, nil
	}
	rec, err := r.at(ctx, c, p)
	var absent *record.AbsentError
	if errors.As(err, &absent) {
		r.problem = "its event is gone: " + absent.Why
		return r, nil, nil
	}
	return r, rec, err
}

// guess returns the topic whose samples have the type of an event, and says so.
func guess(g *base.Globals, l *config.Loaded, decoder *event.Decoder, data []byte) (string, error) {
	samples, _ := l.RuleSamples()
	var found, types []string
	kind := ""
	if len(bytes.TrimSpace(data)) == 0 {
		return "", base.Misused("the event is empty")
	}
	kinds := make(map[string]string)
	var problem error
	for _, topic := range topics.All() {
		ev, err := decoder.Decode(event.Record{Topic: string(topic), Value: data, Time: time.Now(), Arrived: time.Now()})
		kinds[string(topic)], kind = ev.Type, cmp.Or(ev.Type, kind)
		problem = cmp.Or(problem, err) // such as a violation of one topic's schema
	}
	if problem != nil && kind == "" {
		return "", base.Misused("--topic is needed, since the type of the event cannot be read: %s", outcome.Classify(problem).Detail)
	}
	for _, s := range samples {
		if s.Event.Type == "" {
			continue
		}
		types = append(types, s.Event.Type)
		topic := s.Event.Record.Topic
		if s.Event.Type == cmp.Or(kinds[topic], kind) && !slices.Contains(found, topic) {
			found = append(found, topic)
		}
	}
	switch near := suggest.Closest(kind, types); {
	case len(found) == 1:
		fmt.Fprintf(g.IO.Err, "topic: %s, whose samples have the type %s (--topic names another)\n", found[0], term.Visible(kind))
		return found[0], nil
	case len(found) > 1:
		return "", base.Misused("--topic is needed: samples of %s have the type %s", strings.Join(found, " and "), term.Visible(kind))
	case kind == "":
		return "", base.Misused("--topic is needed: the event has no type")
	case near != "":
		return "", base.Misused("--topic is needed: no sample has the type %s, did you mean %s?", term.Visible(kind), near)
	}
	return "", base.Misused("--topic is needed: no sample has the type %s", term.Visible(kind))
}
