package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/health"
)

// ProducerRefusedAfter is how long a producer is without an id before Run returns.
// kgo does not retry a fatal error, so the process must restart; the delay limits the
// rate of restarts.
const ProducerRefusedAfter = 10 * time.Second

// checkProducers checks the id of each producer (KIP-98).
func (m *Monitor) checkProducers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for role, producer := range m.p.Producers {
		_, _, err := producer.ProducerID(ctx)
		if ctx.Err() != nil {
			return
		}
		p := refusal(role, err)
		m.mu.Lock()
		m.refused[role] = p
		m.mu.Unlock()
		if p == nil {
			m.p.Conditions.Clear(health.Producer, string(role))
			continue
		}
		m.p.Conditions.Set(health.Condition{Type: health.Producer, Subject: string(role), Message: p.Text})
	}
}

// refusal returns the problem of a producer without an id; nil if it has one or
// retries.
func refusal(role Role, err error) *Problem {
	var refused *kerr.Error
	switch {
	case !errors.As(err, &refused) || refused.Retriable:
		return nil
	case IsDenied(err):
		return problemf(ExitDenied, "the brokers refuse the producer of %s an id (%s): grant WRITE on the topics or on the prefix", role, refused.Message)
	}
	return problemf(ExitUnavailable, "the brokers refuse the producer of %s an id (%s): check the brokers and restart", role, refused.Message)
}

// refusedProducer returns the problem of a producer that has had no id for
// ProducerRefusedAfter.
func (m *Monitor) refusedProducer() error {
	c, lasted := m.p.Conditions.Longest(health.Producer)
	if lasted < ProducerRefusedAfter {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.refused[Role(c.Subject)]; p != nil {
		return p
	}
	return nil
}
