package lag

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// look asks the brokers once and takes over what they say.
func (m *Monitor) look(ctx context.Context) error {
	names := make([]string, len(m.p.Topics))
	for i, t := range m.p.Topics {
		names[i] = t.Name
	}
	if err := m.looker.rules.refresh(ctx, m.looker.adm, names); err != nil {
		return err
	}
	s, err := m.looker.Look(ctx, Want{Topics: m.p.Topics, Groups: m.p.Others.Named(), Every: m.p.Others.Every(), AtMost: MaxGroups})
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
		b, err := m.backlog(t, g.Topic(t.Name))
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("topic %s: %w", t.Name, err))
			continue
		}
		fresh[t.Name] = b
	}
	m.mu.Lock()
	m.last, m.snapshot = fresh, s
	m.mu.Unlock()
	m.tellUnread(s.Group(m.p.OutboxGroup), s.At)
	m.tellOthers(s)
	return failed
}

// backlog adds up what waits in the partitions of one of our topics.
func (m *Monitor) backlog(t Topic, g *GroupTopic) (Backlog, error) {
	b := Backlog{Topic: t, Looked: true, Retention: m.looker.rules.of(t.Name).age}
	if total := g.Total(); total.Unknown != nil {
		return b, total.Unknown
	}
	for i := range g.Partitions {
		p := &g.Partitions[i]
		b.Waiting += p.Waiting
		b.Oldest, b.KeptUntil = earlier(b.Oldest, p.Oldest), earlier(b.KeptUntil, p.KeptUntil)
	}
	return b, nil
}

// tellUnread says which outboxes of our group no channel is configured for, so
// that their alerts wait for nobody.
func (m *Monitor) tellUnread(outboxes *Group, now time.Time) {
	if outboxes == nil {
		return
	}
	for i := range outboxes.Topics {
		t := &outboxes.Topics[i]
		ours := slices.ContainsFunc(m.p.Topics, func(own Topic) bool { return own.Name == t.Name })
		channel, outbox := strings.CutPrefix(t.Name, m.p.Outboxes)
		n := t.Total().Waiting
		if ours || !outbox || n == 0 || now.Sub(m.unread[t.Name]) < sayEvery {
			continue
		}
		m.unread[t.Name] = now
		m.log.Error("alerts wait for a channel that is not configured", "channel", channel, "topic", t.Name, "waiting", n,
			"do", fmt.Sprintf("configure it again, or restart a notifier and send them elsewhere with 'notifier channels move %s CHANNEL'", channel))
	}
}

// tellOthers says of which other groups the lag is not known, or not all of it,
// and why: once, again every hour, and when it is over.
func (m *Monitor) tellOthers(s *Snapshot) {
	problems := make(map[string]string)
	for i := range s.Groups {
		g := &s.Groups[i]
		if slices.ContainsFunc(m.p.Topics, func(t Topic) bool { return t.Group == g.Name }) {
			continue // ours: look says it
		}
		if problem := g.problem(); problem != "" {
			problems[g.Name] = problem
		}
	}
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		a := m.strange[name]
		if a == nil {
			a = &alarm{level: slog.LevelWarn, since: s.At}
			m.strange[name] = a
		}
		if a.due(slog.LevelWarn, s.At) {
			m.log.Warn("the lag of a group is not wholly known", "group", name, "problem", problems[name])
		}
	}
	for name := range m.strange {
		if problems[name] == "" {
			delete(m.strange, name)
			m.log.Info("the lag of a group is known again, or the group is gone", "group", name)
		}
	}
	switch {
	case s.LeftOut == 0:
		m.leftOut = alarm{}
	case m.leftOut.due(slog.LevelWarn, s.At):
		m.log.Warn("there are more groups than are looked at", "looked_at", MaxGroups, "left_out", s.LeftOut,
			"do", "name those that matter in lag.groups; 'notifier lag --all' shows every group")
	}
}

// problem says why the lag of a group is not wholly known; empty: it is.
func (g *Group) problem() string {
	switch {
	case g.Err != nil:
		return g.Err.Error()
	case g.State == Dead:
		return "there is no such group, or its offsets have expired"
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
