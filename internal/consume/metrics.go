package consume

import (
	"errors"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health"
)

type metrics struct {
	assignedParts  *prometheus.GaugeVec
	rebalances     *prometheus.CounterVec
	groupErrors    *prometheus.CounterVec
	commitFailures prometheus.Counter
	blocked        *prometheus.GaugeVec
	lostRecords    *prometheus.CounterVec
	noRoom         prometheus.Counter
	processing     *prometheus.HistogramVec
	processingOf   map[string]prometheus.Observer // looked up once
}

// newMetrics registers a member's metrics; both stages share the names and
// differ in the stage label.
func newMetrics(reg prometheus.Registerer, stage string, topics []string) *metrics {
	labels := prometheus.Labels{"stage": stage}
	m := &metrics{
		assignedParts: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifier_assigned_partitions", Help: "Partitions assigned to this process.", ConstLabels: labels,
		}, []string{"topic"}),
		rebalances: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_rebalances_total", Help: "Rebalance callbacks.", ConstLabels: labels,
		}, []string{"event"}),
		groupErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_group_errors_total", Help: "Errors of fetching and of group membership, by Kafka's error code.", ConstLabels: labels,
		}, []string{"reason"}),
		commitFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notifier_commit_failures_total", Help: "Offset commits that were refused or not answered.", ConstLabels: labels,
		}),
		blocked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifier_partition_blocked", Help: "1 while a partition makes no progress: something of ours cannot be written (write), it or something of ours cannot be read (read), its next record needs a schema (schema), a transaction on it does not end (transaction), records wait for no known reason (progress), or its offset was set by hand (offset).", ConstLabels: labels,
		}, []string{"topic", "partition", "reason"}),
		lostRecords: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_events_lost_total", Help: "Records that were deleted before they were handled: by retention, or with their topic.", ConstLabels: labels,
		}, []string{"topic"}),
		noRoom: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notifier_batches_waited_total", Help: "Batches that waited because there was no memory to unpack them.", ConstLabels: labels,
		}),
		processing: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "notifier_processing_duration_seconds", Help: "Time from a record's arrival to its being settled; of a batch without alerts the oldest's.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 12), ConstLabels: labels,
		}, []string{"topic"}),
		processingOf: make(map[string]prometheus.Observer, len(topics)),
	}
	for _, topic := range topics {
		m.assignedParts.WithLabelValues(topic)
		m.lostRecords.WithLabelValues(topic)
		m.processingOf[topic] = m.processing.WithLabelValues(topic)
	}
	for _, err := range groupReasons {
		m.groupErrors.WithLabelValues(reasonOf(err))
	}
	for _, event := range []string{"assigned", "revoked", "lost"} {
		m.rebalances.WithLabelValues(event)
	}
	if reg != nil {
		reg.MustRegister(m.assignedParts, m.rebalances, m.groupErrors, m.commitFailures, m.blocked, m.lostRecords, m.noRoom, m.processing)
	}
	return m
}

// watchMember adds what a member says of itself.
func watchMember(reg prometheus.Registerer, m *Member) {
	if reg == nil {
		return
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "notifier_group_joined", Help: "1 while this process is a member of the group, with or without partitions.",
		ConstLabels: prometheus.Labels{"stage": m.p.Name, "group": m.p.Group},
	}, func() float64 {
		if m.Status().Joined {
			return 1
		}
		return 0
	}))
}

func (m *metrics) assigned(parts map[string][]int32) { m.change(parts, 1, "assigned") }
func (m *metrics) revoked(parts map[string][]int32)  { m.change(parts, -1, "revoked") }
func (m *metrics) lost(parts map[string][]int32)     { m.change(parts, -1, "lost") }

func (m *metrics) change(parts map[string][]int32, sign float64, event string) {
	m.rebalances.WithLabelValues(event).Inc()
	for topic, ids := range parts {
		m.assignedParts.WithLabelValues(topic).Add(sign * float64(len(ids)))
		for _, id := range ids {
			partition := strconv.Itoa(int(id))
			if sign < 0 {
				m.blocked.DeletePartialMatch(prometheus.Labels{"topic": topic, "partition": partition})
				continue
			}
			for _, reason := range blockedReasons {
				m.blocked.WithLabelValues(topic, partition, reason)
			}
		}
	}
}

// blockedReasons are the closed set of why a partition does not move.
var blockedReasons = []string{"offset", "progress", "read", "schema", "transaction", "write"}

// setBlocked shows why a partition does not move: what its handler waits for, and
// what keeps it from being read.
func (m *metrics) setBlocked(topic string, id int32, blocked string, unread health.Type) {
	now := make(map[string]bool, 2)
	if blocked != "" {
		now[blockedReason(blocked)] = true
	}
	if unread != "" {
		now[unreadReason(unread)] = true
	}
	for _, reason := range blockedReasons {
		v := 0.0
		if now[reason] {
			v = 1
		}
		m.blocked.WithLabelValues(topic, strconv.Itoa(int(id)), reason).Set(v)
	}
}

// SchemaNeeded is how the text of Partition.Hold begins if the next record needs a schema.
const SchemaNeeded = "the next record needs a schema"

func blockedReason(text string) string {
	switch {
	case text == offsetReset || text == offsetGone:
		return "offset"
	case strings.HasPrefix(text, SchemaNeeded):
		return "schema"
	case strings.Contains(text, "cannot be read"):
		return "read"
	}
	return "write"
}

func unreadReason(t health.Type) string {
	switch t {
	case health.Transaction:
		return "transaction"
	case health.Progress:
		return "progress"
	}
	return "read"
}

// groupReasons are the reasons that exist from the start: Kafka's codes that a
// consumer meets, what has none, and a lost session.
var groupReasons = []error{
	kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.FencedInstanceID, kerr.NotCoordinator,
	kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed,
	kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.OffsetOutOfRange, kerr.NotLeaderForPartition, &kgo.ErrGroupSession{}, errOther,
}

var errOther = errors.New("other")
