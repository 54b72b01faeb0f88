package consume

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/unpack"
)

// fetchError judges an error that came out of a poll. None ends the loop by
// itself: kgo continues by itself, and what lasts shows in health. It fetches
// again at once, so that most of them would come back thousands of times a
// second: the partition rests between. Of one that is not started it is its
// commit that could not be fetched: after its rest that is tried again.
func (m *Member) fetchError(topic string, partition int32, err error) {
	p := m.partition(topic, partition)
	unstarted := p != nil && !p.running()
	var tooLarge *kgo.ErrDecompressTooLarge
	var session *kgo.ErrGroupSession
	var truncated *kgo.ErrDataLoss
	var code *kerr.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		return
	case errors.Is(err, unpack.ErrNoRoom):
		m.noRoom(topic, partition)
		return
	case isDenied(err):
		m.denies(topic, err)
	case errors.Is(err, kerr.FencedInstanceID):
		m.fence()
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		if p != nil {
			p.unknown.Store(true)
		}
		m.recreated(topic)
	case errors.As(err, &tooLarge) && slices.Contains(m.p.PassOversized, topic):
		m.passOversized(topic, partition, tooLarge)
		return
	case errors.As(err, &tooLarge):
		m.bomb(topic, partition, tooLarge)
	case errors.As(err, &truncated):
		m.truncated(truncated)
	case unstarted:
		m.unfetched(p, err)
	case errors.As(err, &session), errors.As(err, &code), isConnection(err):
	default: // kgo gives no type to what it cannot decode
		m.corrupt(topic, partition, err)
	}
	if p != nil && tooLarge == nil && truncated == nil {
		m.rest(p)
	}
	m.metrics.groupErrors.WithLabelValues(reasonOf(err)).Inc()
	m.log.Warn("fetch failed", "topic", topic, "partition", partition, "reason", reasonOf(err), "err", err)
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
	m.membership.join(false, reasonOf(err))
	m.metrics.groupErrors.WithLabelValues(reasonOf(err)).Inc()
	switch {
	case isDenied(err):
		m.denies("group "+m.p.Group, err)
	case errors.Is(err, kerr.FencedInstanceID):
		m.fence()
	case isOutdated(err):
		m.evicted()
	default:
		m.failed(err)
	}
	m.log.Warn("left consumer group, rejoining", "group", m.p.Group, "reason", reasonOf(err), "err", err)
}

// commitRefused judges why a commit was refused. What was refused is not
// committed by us any longer: kgo joins again, which revokes the partitions, and
// their next owner does it.
func (m *Member) commitRefused(err error) {
	switch {
	case errors.Is(err, kerr.FencedInstanceID):
		m.fence()
	case isDenied(err):
		m.denies("group "+m.p.Group, err)
	case isOutdated(err):
		m.evicted()
	}
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

// isConnection reports whether an error is about the way to a broker, not about
// what it sent.
func isConnection(err error) bool {
	var closed *kgo.ErrFirstReadEOF
	var network *net.OpError
	return errors.As(err, &closed) || errors.As(err, &network)
}

// isOutdated reports whether the group no longer knows us.
func isOutdated(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration)
}

// denied returns an error once the brokers have refused us for deniedAfter
// without a pause.
func (m *Member) denied() error {
	t, lasted := m.conditions.Longest(health.Denied)
	if lasted < deniedAfter {
		return nil
	}
	return fmt.Errorf("%w for %s: %s", ErrDenied, deniedAfter, t.Message)
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
