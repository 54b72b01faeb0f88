package consume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchError judges an error that came out of a poll. None ends the loop by
// itself: kgo goes on by itself, and what lasts shows in health.
func (m *Member) fetchError(topic string, partition int32, err error) {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		return
	case isDenied(err):
		m.noteDenied(topic, err)
	case errors.Is(err, kerr.FencedInstanceID):
		m.fence()
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		m.mu.Lock()
		p := m.parts[topicPartition{topic, partition}]
		m.mu.Unlock()
		if p != nil {
			p.unknown.Store(true)
		}
	}
	m.metrics.groupErrors.WithLabelValues(reasonOf(err)).Inc()
	m.limit.do(fmt.Sprintf("fetch %s/%d %s", topic, partition, reasonOf(err)), func() {
		m.log.Warn("consuming is disturbed", "topic", topic, "partition", partition, "err", err)
	})
}

type groupHook struct{ m *Member }

var _ kgo.HookGroupManageError = (*groupHook)(nil)

// OnGroupManageError hears what kgo otherwise only logs: that it could not
// join or stay in the group.
func (h *groupHook) OnGroupManageError(err error) {
	m := h.m
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	m.health.join(false, reasonOf(err))
	m.metrics.groupErrors.WithLabelValues(reasonOf(err)).Inc()
	switch {
	case isDenied(err):
		m.noteDenied("group "+m.p.Group, err)
	case errors.Is(err, kerr.FencedInstanceID):
		m.fence()
	}
	m.limit.do("group "+reasonOf(err), func() {
		m.log.Warn("left the group, joining again", "group", m.p.Group, "err", err)
	})
}

func (m *Member) fence() {
	select {
	case m.fatal <- fmt.Errorf("%w: another notifier runs as %s: give each its own kafka.instance_id", ErrFenced, m.p.InstanceID):
	default:
	}
}

func isDenied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) ||
		errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.SaslAuthenticationFailed)
}

func (m *Member) noteDenied(what string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.deniedSince.IsZero() || now.Sub(m.deniedLast) > 15*time.Second {
		m.deniedSince = now
	}
	m.deniedLast = now
	m.deniedErr = fmt.Errorf("%s: %w", what, err)
}

// denied returns an error once the brokers have refused us for deniedAfter
// without a pause.
func (m *Member) denied() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.deniedSince.IsZero() || m.deniedLast.Sub(m.deniedSince) < deniedAfter {
		return nil
	}
	return fmt.Errorf("%w for %s: %w", ErrDenied, deniedAfter, m.deniedErr)
}

// reasonOf is a short, closed name for an error: Kafka's own code where there
// is one.
func reasonOf(err error) string {
	var ke *kerr.Error
	var session *kgo.ErrGroupSession
	switch {
	case errors.As(err, &ke):
		return ke.Message // of a set that Kafka closes
	case errors.As(err, &session):
		return "GROUP_SESSION"
	default:
		return "OTHER"
	}
}

// limiter lets each key through once per period.
type limiter struct {
	period time.Duration
	mu     sync.Mutex
	last   map[string]time.Time
}

func newLimiter(period time.Duration) *limiter {
	return &limiter{period: period, last: make(map[string]time.Time)}
}

func (l *limiter) do(key string, f func()) {
	l.mu.Lock()
	now := time.Now()
	last, seen := l.last[key]
	ok := !seen || now.Sub(last) >= l.period
	if ok {
		if len(l.last) > 1000 {
			clear(l.last)
		}
		l.last[key] = now
	}
	l.mu.Unlock()
	if ok {
		f()
	}
}
