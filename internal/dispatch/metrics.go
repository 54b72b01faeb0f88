package dispatch

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// How deliveries end, for metrics and spans.
const (
	delivered     = "delivered"
	deadLettered  = "dead_lettered"
	expired       = "expired"
	throttledAway = "throttled"
	digested      = "digested" // delivered together with others
	silenced      = "silenced" // by a silence, or by quiet hours
	rerouted      = "rerouted"
	dropped       = "dropped"  // a notice that the channel will never take
	unneeded      = "unneeded" // resolved, or a reminder, where no alert is open: settled without a trace
	superseded    = "superseded"
	abandoned     = "abandoned" // the next owner's; in spans only
)

// Metrics are the metrics of all channels.
type Metrics struct {
	deliveries *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	age        *prometheus.HistogramVec
	duplicates *prometheus.CounterVec
	foreign    *prometheus.CounterVec
	evictions  *prometheus.CounterVec
	watched    *watched
}

// NewMetrics registers the channels' metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_deliveries_total", Help: "Deliveries by outcome.",
		}, []string{"channel", "outcome"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_delivery_attempts_total", Help: "Attempts to send, by result.",
		}, []string{"channel", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "notifier_delivery_duration_seconds", Help: "Time one attempt took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, []string{"channel"}),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "notifier_alert_age_seconds", Help: "Time from the event to the provider's acceptance.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 86400},
		}, []string{"channel"}),
		duplicates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_duplicates_dropped_total", Help: "Outbox records that a crash had written twice.",
		}, []string{"channel"}),
		foreign: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_outbox_foreign_records_total", Help: "Outbox records that were not ours, skipped.",
		}, []string{"channel"}),
		evictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_throttle_evictions_total", Help: "Open throttles that were evicted, since there were too many keys.",
		}, []string{"channel"}),
		watched: &watched{},
	}
	reg.MustRegister(m.deliveries, m.attempts, m.duration, m.age, m.duplicates, m.foreign, m.evictions, m.watched)
	return m
}

// channelMetrics are one channel's, looked up once. A nil one counts nothing.
type channelMetrics struct {
	m             *Metrics
	name          string
	sent, ok      prometheus.Counter // deliveries and attempts of the usual outcome
	duration, age prometheus.Observer
}

func (m *Metrics) channel(name string) *channelMetrics {
	if m == nil {
		return nil
	}
	for _, o := range []string{delivered, digested, deadLettered, expired, throttledAway, silenced, rerouted, unneeded, dropped} {
		m.deliveries.WithLabelValues(name, o)
	}
	for _, r := range []string{"ok", "message", "recipient", "transient", "rate", "permanent", "ambiguous", "abandoned"} {
		m.attempts.WithLabelValues(name, r)
	}
	m.duplicates.WithLabelValues(name)
	m.foreign.WithLabelValues(name)
	m.evictions.WithLabelValues(name)
	return &channelMetrics{
		m: m, name: name, sent: m.deliveries.WithLabelValues(name, delivered), ok: m.attempts.WithLabelValues(name, resultOf(nil)),
		duration: m.duration.WithLabelValues(name), age: m.age.WithLabelValues(name),
	}
}

func (c *channelMetrics) attempted(err error, took time.Duration) {
	if c == nil {
		return
	}
	c.duration.Observe(took.Seconds())
	if err == nil {
		c.ok.Inc()
		return
	}
	c.m.attempts.WithLabelValues(c.name, resultOf(err)).Inc()
}

// resultOf is the closed set of attempt results: who or what failed, and how.
func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	e := outcome.Classify(err)
	class := e.Cause.Class()
	switch {
	case e.Cause == outcome.Abandoned:
		return "abandoned"
	case e.MaybeDelivered:
		return string(outcome.Ambiguous)
	case class.Scope == outcome.Channel:
		return string(class.Permanence)
	case class.Scope == outcome.Recipient && class.Permanence == outcome.Rate:
		return "rate"
	default:
		return string(class.Scope)
	}
}

func (c *channelMetrics) outcome(name string) {
	if c != nil {
		c.m.deliveries.WithLabelValues(c.name, name).Inc()
	}
}

func (c *channelMetrics) delivered(age time.Duration) {
	if c != nil {
		c.sent.Inc()
		c.took(age)
	}
}

// took observes the age of an alert that was delivered.
func (c *channelMetrics) took(age time.Duration) {
	if c != nil {
		c.age.Observe(max(0, age.Seconds()))
	}
}

func (c *channelMetrics) deadLettered()            { c.outcome(deadLettered) }
func (c *channelMetrics) suppressed(policy string) { c.outcome(policy) }

func (c *channelMetrics) duplicate() {
	if c != nil {
		c.m.duplicates.WithLabelValues(c.name).Inc()
	}
}

func (c *channelMetrics) foreign() {
	if c != nil {
		c.m.foreign.WithLabelValues(c.name).Inc()
	}
}

func (c *channelMetrics) throttleEvicted() {
	if c != nil {
		c.m.evictions.WithLabelValues(c.name).Inc()
	}
}

func (m *Metrics) watch(o *Dispatcher) { m.watched.outboxes = append(m.watched.outboxes, o) }

// watched reads each outbox's state when it is scraped.
type watched struct{ outboxes []*Dispatcher }

var (
	stateDesc = prometheus.NewDesc("notifier_channel_state", "1 for the state the channel is in.", []string{"channel", "state"}, nil)
	pendDesc  = prometheus.NewDesc("notifier_outbox_pending", "Deliveries this process holds for the channel.", []string{"channel"}, nil)
)

// Describe implements prometheus.Collector.
func (w *watched) Describe(c chan<- *prometheus.Desc) {
	c <- stateDesc
	c <- pendDesc
}

// Collect implements prometheus.Collector.
func (w *watched) Collect(c chan<- prometheus.Metric) {
	for _, o := range w.outboxes {
		s := o.Status()
		for _, state := range channel.Health() {
			v := 0.0
			if s.State == state && !s.brief || state == channel.Healthy && s.brief {
				v = 1
			}
			c <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, v, o.p.Name, state)
		}
		c <- prometheus.MustNewConstMetric(pendDesc, prometheus.GaugeValue, float64(s.Pending), o.p.Name)
	}
}

// Status is what a channel is doing.
type Status struct {
	Name    string
	State   string // one of channel.Health
	Reason  string // why not healthy, or which rules are suspended
	Since   time.Time
	Until   time.Time // when the waiting deliveries are tried again, as the provider asked; zero: it did not
	Pending int
	// Throttled is how many of Pending will be counted by another message instead of sent.
	Throttled int
	Rate      float64  // messages a second that may be sent now; 0: no limit
	Moving    []Moving // where what waited goes instead
	// Fallback is the channel that alerts go to instead, since this one cannot send;
	// empty: they do not.
	Fallback string
	// Owned reports whether this process reads the first partition of the outbox, and so
	// speaks for the channel.
	Owned bool
	// Oldest is when the oldest message could have been sent, but for the channel: not
	// what is gathered or what a recipient deferred. Zero: there is none.
	Oldest    time.Time
	Gathers   bool      // it has digests
	Succeeded time.Time // when an attempt succeeded last; zero: not yet
	Remedy    string    // what an operator can do where it is suspended or its circuit open
	brief     bool      // waits for recipients alone, and not for long: no alert is due
}

// Status returns the channel's present state.
func (o *Dispatcher) Status() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := Status{Name: o.p.Name, Pending: o.lanes.pending, Throttled: o.throttledAhead(), Rate: o.pace.rate(), Reason: o.gate.reason, Since: o.gate.since, Moving: o.lanes.moves.inForce()}
	now := o.now()
	o.describeLate(&s)
	switch state := o.breaker.State(); {
	case o.gate.suspended():
		s.State = channel.Suspended
	case o.gate.until.After(now):
		s.State, s.Until = channel.Waiting, o.gate.until
		s.Reason = fmt.Sprintf("%s; tried again at %s", o.gate.limited.what, clock(s.Until))
	case state == gobreaker.StateClosed:
		s.State, s.Reason = channel.Healthy, o.lanes.rules.String()
		o.describeDeferred(&s, now)
	case state == gobreaker.StateHalfOpen:
		s.State, s.Reason = channel.Recovering, o.breaker.failure.Error()
	default:
		s.State, s.Reason = channel.CircuitOpen, o.breaker.failure.Error()
	}
	return s
}

// describeDeferred adds recipients that have asked for a later attempt.
func (o *Dispatcher) describeDeferred(s *Status, now time.Time) {
	if o.waits.look.IsZero() {
		return
	}
	if w := o.waits.deferrals(); w.first != nil {
		s.State, s.Until, s.brief = channel.Waiting, w.next, !w.lasts(longDeferral, now)
		s.Reason = strings.TrimPrefix(s.Reason+"; "+w.String(), "; ")
		if w.next.After(now) {
			s.Reason += "; tried again at " + clock(w.next)
		}
	}
}
