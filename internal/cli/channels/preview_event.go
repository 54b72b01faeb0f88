package channels

import (
	"context"
	"slices"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/record"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

// raise returns an alert of r and its event: that of the flags, or a sample's.
func (p *preview) raise(ctx context.Context, l *config.Loaded, r rule.Rule) (a alert.Alert, value []byte, err error) {
	decoder, err := p.g.Decoder(ctx, l)
	if err != nil {
		return a, nil, err
	}
	match := func(rec event.Record) (ok bool, why string, err error) {
		ev, err := decoder.Decode(rec)
		if err != nil {
			return false, "", err
		}
		alerts, err := l.Rules.Match(&ev, ev.Time)
		i := slices.IndexFunc(alerts, func(a alert.Alert) bool { return a.Rule == r.Name })
		switch {
		case err != nil || i < 0:
			return false, l.Rules.Why(r.Name, &ev, ev.Time), err
		case alerts[i].State == alert.Resolved && p.state != "resolved":
			return false, "it is one for which clear is true: use --state resolved", nil
		}
		a, value = alerts[i], rec.Value
		return true, "", nil
	}
	if p.file != "" {
		records, err := p.given(ctx, l, r)
		if err != nil {
			return a, nil, err
		}
		why := ""
		for _, rec := range records {
			var ok bool
			if ok, why, err = match(rec); ok || err != nil {
				return a, value, err
			}
		}
		return a, nil, base.Fail(base.ExitFailed, "the event does not raise %s: %s", r.Name, why)
	}
	samples, _ := l.ReadSamples() // 'config check' reports their faults
	for _, s := range samples {
		if !slices.Contains(r.Topics, s.Topic) || p.sample != "" && s.Name != p.sample {
			continue
		}
		ok, why, err := match(event.Record{Topic: string(s.Topic), Value: s.Data, Time: time.Now(), Arrived: time.Now()})
		switch {
		case err != nil:
			return a, nil, err
		case ok && p.state == "resolved" && a.State != alert.Resolved && p.sample == "":
			// Another sample may be one that ends it.
		case ok:
			return a, value, nil
		case p.sample != "":
			return a, nil, base.Fail(base.ExitFailed, "the sample %s does not raise %s: %s", s.Name, r.Name, why)
		}
	}
	if value != nil {
		return a, value, nil
	}
	if p.sample != "" {
		_, err := configs.FindSample(samples, r.Topics[0], p.sample)
		return a, nil, base.Misused("%w", err)
	}
	return a, nil, base.Fail(base.ExitFailed, "no sample raises %s: give an event with --event FILE", r.Name)
}

// given returns the event of --event as a record of each topic that it can be of: of a file,
// the topics of the rule.
func (p *preview) given(ctx context.Context, l *config.Loaded, r rule.Rule) (list []event.Record, err error) {
	if !record.Is(p.file) {
		data, err := record.ReadFile(p.g.IO.In, p.file)
		for _, topic := range r.Topics {
			list = append(list, event.Record{Topic: string(topic), Value: data, Time: time.Now(), Arrived: time.Now()})
		}
		return list, err
	}
	place, err := record.Parse(p.file)
	if err != nil {
		return nil, err
	}
	cl, err := p.g.Reach(ctx, &l.Kafka, "preview", record.Options()...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	found, err := record.Find(ctx, cl, place)
	if err != nil {
		return nil, base.Fail(base.ExitFailed, "%w", err)
	}
	return []event.Record{record.Event(found)}, nil
}
