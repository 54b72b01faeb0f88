package lag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/health"
)

// update takes a sample and updates metrics and conditions.
func (m *Monitor) update(ctx context.Context) error {
	names := make([]string, len(m.p.Topics))
	for i, t := range m.p.Topics {
		names[i] = t.Name
	}
	if err := m.sampler.rules.refresh(ctx, m.sampler.adm, names); err != nil {
		return err
	}
	s, err := m.sampler.Sample(ctx, Want{Topics: m.p.Topics, Groups: m.p.Others.Named(), Every: m.p.Others.Every(), AtMost: MaxGroups})
	if err != nil {
		return err
	}
	fresh := make(map[string]Backlog, len(m.p.Topics))
	var failed error
	for _, t := range m.p.Topics {
		g := s.Group(t.Group)
		if g.Err != nil {
			return fmt.Errorf("group %s: %w", t.Group, g.Err)
		}
		total := g.Topic(t.Name).Total()
		if total.Unknown != nil {
			failed = errors.Join(failed, fmt.Errorf("topic %s: %w", t.Name, total.Unknown))
			continue
		}
		b := Backlog{
			Topic: t, Known: true, Waiting: total.Waiting, Oldest: total.Oldest, KeptUntil: total.KeptUntil, Retention: m.sampler.rules.of(t.Name).age,
		}
		fresh[t.Name] = b
		m.atRisk(&b, s.At)
	}
	m.mu.Lock()
	m.last, m.snapshot = fresh, s
	m.mu.Unlock()
	m.unconfigured(s.Group(m.p.OutboxGroup))
	m.others(s)
	return failed
}

// unconfigured sets the conditions of outboxes without a configured channel.
func (m *Monitor) unconfigured(outboxes *Group) {
	if outboxes == nil {
		return
	}
	found := make(map[string]bool)
	for i := range outboxes.Topics {
		t := &outboxes.Topics[i]
		ours := slices.ContainsFunc(m.p.Topics, func(own Topic) bool { return own.Name == t.Name })
		channel, outbox := strings.CutPrefix(t.Name, m.p.Outboxes)
		n := t.Total().Waiting
		if ours || !outbox || n == 0 {
			continue
		}
		found[t.Name] = true
		m.p.Conditions.Set(health.Condition{
			Type: health.Unconfigured, Subject: t.Name, Attrs: []any{"channel", channel, "topic", t.Name, "waiting", n},
			Message: fmt.Sprintf("%d alerts wait for channel %s: configure it, or restart a notifier and move them with 'notifier channels move %s CHANNEL'", n, channel, channel),
		})
	}
	m.p.Conditions.Keep(health.Unconfigured, func(topic string) bool { return found[topic] })
}

// others sets the conditions of other groups with unknown lag.
func (m *Monitor) others(s *Snapshot) {
	found := make(map[string]bool)
	set := func(group, message string) {
		found[group] = true
		m.p.Conditions.Set(health.Condition{Type: health.OtherLag, Subject: group, Message: message, Attrs: []any{"group", group}})
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		ours := slices.ContainsFunc(m.p.Topics, func(t Topic) bool { return t.Group == g.Name }) // update returns that error
		if problem := g.problem(); problem != "" && !ours {
			set(g.Name, problem)
		}
	}
	if s.LeftOut > 0 {
		set("", fmt.Sprintf("%d groups are not monitored, the maximum is %d: list the important ones in lag.groups; 'notifier lag --all' shows every group", s.LeftOut, MaxGroups))
	}
	m.p.Conditions.Keep(health.OtherLag, func(group string) bool { return found[group] })
}

// problem returns why some lag of a group is unknown; empty: it is known.
func (g *Group) problem() string {
	switch {
	case g.Err != nil:
		return g.Err.Error()
	case g.State == Dead:
		return "no such group, or its offsets have expired"
	}
	problem, more := "", 0
	for i := range g.Topics {
		switch err := g.Topics[i].Total().Unknown; {
		case err == nil:
		case problem == "":
			problem = fmt.Sprintf("%s: %s", g.Topics[i].Name, err)
		default:
			more++
		}
	}
	if more > 0 {
		problem += fmt.Sprintf(" (and %d more topics)", more)
	}
	return problem
}
