package deliverylog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/topics"
)

// Writer writes the log with one producer for all channels. Its callers never wait:
// what they give is encoded and produced by Run. It is safe for concurrent use.
type Writer struct {
	p       Params
	topic   string
	follow  *dlq.Follower
	dropped prometheus.Counter
	wake    chan struct{} // size 1: there is something in queue or failed

	mu     sync.Mutex
	queue  []*item
	failed []*item
	// loose is how many records that may be dropped are queued or not acknowledged.
	loose int
	ended bool
	// failure is the last error of a write that did not succeed since, shown is when the
	// condition was renewed.
	failure error
	shown   time.Time
}

// Params is what a Writer needs.
type Params struct {
	Client     *kgo.Client // made with Options
	Group      string
	ClientID   string           // for the records
	Redactor   *secret.Redactor // removes secrets from details
	Conditions *health.Conditions
	Logger     *slog.Logger
	Registry   prometheus.Registerer // nil: no metric
}

// Options are the options of the log's producer. All in-sync replicas acknowledge,
// since a suppressed alert has no other record; nobody waits for the records of
// alerts that were sent. The linger makes batches of what ends together, which the
// client compresses. A record is given up after 8 s, and Run decides what then.
func Options() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(Linger),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.AllowIdempotentProduceCancellation(),
		kgo.RecordDeliveryTimeout(8 * time.Second),
		kgo.MaxBufferedRecords(1 << 20), // above what the writer and the outboxes' windows hold
	}
}

// Linger is how long a record waits for others that are written with it.
const Linger = 100 * time.Millisecond

const (
	// maxLoose is how many records that may be dropped wait at most, of some 1 KiB each.
	maxLoose = 8192
	// retryAfter is the pause before failed records are produced again.
	retryAfter = time.Second
	// flushWithin bounds how long a stop waits for acknowledgements.
	flushWithin = 3 * time.Second
	// shownFor is how long the condition holds after the last failure.
	shownFor = time.Minute
)

var errFull = fmt.Errorf("%d records wait", maxLoose)

// item is one record on its way.
type item struct {
	record *Record
	kept   func(error) // nil: it is dropped where it cannot be written
	turn   int
	err    error
}

// NewWriter returns a writer. It writes while Run runs.
func NewWriter(p Params) *Writer {
	w := &Writer{
		p: p, topic: topics.Deliveries(p.Group), follow: dlq.NewFollower(func(topic string) { p.Client.PurgeTopicsFromProducing(topic) }),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notifier_delivery_log_dropped_total", Help: "Records of sent and dead-lettered alerts that the delivery log did not take.",
		}),
		wake: make(chan struct{}, 1),
	}
	if p.Registry != nil {
		p.Registry.MustRegister(w.dropped)
	}
	return w
}

// Write adds a record. It is dropped, and counted, if the topic cannot be written or
// too many others wait.
func (w *Writer) Write(r *Record) { w.add(&item{record: r}) }

// Keep adds a record that is not dropped. done is called with each error, after which
// it is tried again, and with nil once all in-sync replicas have the record, from
// another goroutine.
func (w *Writer) Keep(r *Record, done func(error)) { w.add(&item{record: r, kept: done}) }

func (w *Writer) add(i *item) {
	i.record.Ended = time.Now()
	w.mu.Lock()
	if i.kept == nil && (w.loose >= maxLoose || w.ended) {
		w.mu.Unlock()
		w.drop(errFull)
		return
	}
	if w.ended {
		w.mu.Unlock()
		go i.kept(errFull) // not before Keep returns
		return
	}
	if i.kept == nil {
		w.loose++
	}
	w.queue = append(w.queue, i)
	w.mu.Unlock()
	w.signal()
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, then waits for acknowledgements for a moment.
func (w *Writer) Run(ctx context.Context) error {
	var again []*item // failed, and to be produced again
	var retry <-chan time.Time
	for {
		select {
		case <-w.wake:
			w.mu.Lock()
			queue := w.queue
			w.queue = nil
			w.mu.Unlock()
			w.produceAll(queue)
			again = append(again, w.report()...)
			if retry == nil && len(again) > 0 {
				retry = time.After(retryAfter)
			}
		case <-retry:
			w.produceAll(again)
			again, retry = nil, nil
		case <-ctx.Done():
			w.stop(ctx)
			return nil
		}
	}
}

func (w *Writer) produceAll(items []*item) {
	for _, i := range items {
		w.produce(i)
	}
}

func (w *Writer) produce(i *item) {
	r := i.record
	r.Client = w.p.ClientID
	r.Detail = w.redact(r.Detail)
	for n := range r.Attempts {
		r.Attempts[n].Detail = w.redact(r.Attempts[n].Detail)
	}
	value, err := encode(r)
	if err != nil { // cannot happen: the texts are cut
		w.end(i, err)
		return
	}
	i.turn = w.follow.Turn(w.topic)
	rec := &kgo.Record{Topic: w.topic, Key: []byte(r.Alert), Value: value, Timestamp: r.Ended}
	w.p.Client.TryProduce(context.Background(), rec, func(_ *kgo.Record, err error) { w.end(i, err) })
}

func (w *Writer) redact(text string) string {
	if text == "" {
		return ""
	}
	return w.p.Redactor.Redact(text)
}

// end takes in what became of a produced record.
func (w *Writer) end(i *item, err error) {
	w.mu.Lock()
	w.failure = err
	if i.kept == nil {
		w.loose--
	}
	if err != nil {
		i.err = err
		w.failed = append(w.failed, i)
	}
	ended := w.ended
	w.mu.Unlock()
	switch {
	case err != nil && ended && i.kept != nil:
		i.kept(err)
	case err != nil:
		w.signal()
	case i.kept != nil:
		i.kept(nil)
	}
}

// report follows a recreated topic, drops the failed records that may be dropped,
// says why the others failed, and returns those.
func (w *Writer) report() (again []*item) {
	w.mu.Lock()
	failed := w.failed
	w.failed = nil
	w.mu.Unlock()
	for _, i := range failed {
		w.follow.Failed(w.topic, i.turn, i.err)
		if i.kept == nil {
			w.drop(i.err)
			continue
		}
		w.show(i.err)
		i.kept(i.err)
		again = append(again, i)
	}
	return again
}

// drop counts a record that is not written.
func (w *Writer) drop(err error) {
	w.dropped.Inc()
	w.show(err)
}

// show renews the condition, at most once a second.
func (w *Writer) show(err error) {
	w.mu.Lock()
	now := time.Now()
	due := now.Sub(w.shown) >= time.Second
	if due {
		w.shown, err = now, cmp.Or(w.failure, err)
	}
	w.mu.Unlock()
	if !due || w.p.Conditions == nil {
		return
	}
	w.p.Conditions.Set(health.Condition{
		Type: health.DeliveryLog, Subject: w.topic, Lease: shownFor,
		Message: fmt.Sprintf("topic %s cannot be written (%v): records of sent alerts are missing, throttled and expired alerts stay pending; run 'notifier topics check'", w.topic, err),
		Attrs:   []any{"topic", w.topic},
	})
}

// stop writes what is queued and counts what is not acknowledged in time.
func (w *Writer) stop(ctx context.Context) {
	w.mu.Lock()
	w.ended = true
	queue, failed := w.queue, w.failed
	w.queue = nil
	w.mu.Unlock()
	for _, i := range failed {
		if i.kept != nil {
			i.kept(i.err)
		}
	}
	w.produceAll(queue)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer cancel()
	err := w.p.Client.Flush(ctx)
	w.mu.Lock()
	left := w.loose
	for _, i := range w.failed {
		if i.kept == nil {
			left++
		}
	}
	w.mu.Unlock()
	if left > 0 {
		w.dropped.Add(float64(left))
		w.p.Logger.Warn("delivery log records dropped at the end", "component", "deliverylog", "records", left, "err", err)
	}
}
