package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/health"
)

// ProducerRefusedAfter is how long a producer is without an id before Run gives
// up. kgo does not ask again after an answer that it takes for final, so only a
// new process helps; the time keeps one whose brokers always answer so from
// starting in a loop.
const ProducerRefusedAfter = 10 * time.Second

// lookAtProducers asks each producer for its id (KIP-98), which it has asked
// its brokers for at its first use.
func (m *Monitor) lookAtProducers(ctx context.Context) {
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

// refusal returns what a producer without an id is told; nil where it has one
// or continues asking.
func refusal(role Role, err error) *Problem {
	var refused *kerr.Error
	switch {
	case !errors.As(err, &refused) || refused.Retriable:
		return nil
	case isDenied(err):
		return problemf(ExitDenied, "the brokers refuse an id to the producer of %s (%s): grant WRITE on them, or on the prefix", role, refused.Message)
	}
	return problemf(ExitUnavailable, "the brokers refuse an id to the producer of %s (%s), and only a new process asks again: look after the brokers", role, refused.Message)
}

// refusedProducer returns the problem of a producer that has been without an id
// for ProducerRefusedAfter.
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
