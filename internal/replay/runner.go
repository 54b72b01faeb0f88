package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// Runner carries out a plan: it writes one request for each entry to the group's replay
// topic, and nothing else. It joins no group.
type Runner struct {
	Reader *dlq.Reader
	Client *kgo.Client // made with ClientOptions
	Plan   *Plan       // closed
	// Spans are those that the plan was read from. Outcomes are read after their ends.
	Spans []dlq.Span
	// Rate is the limit of requests per second; 0: no limit.
	Rate float64
	// Canary is how many entries are sent first. If one of them fails again, the run
	// stops. The others follow in rounds of canaryGrowth times as many as before, each
	// once every request has its outcome. 0: no canary, and a single round.
	Canary int
	// Wait has Run wait until every request has an outcome.
	Wait     bool
	Observer Observer // may be nil
	// LookEvery is the interval of looks for a notifier; 0: 10 s.
	LookEvery time.Duration
}

// Observer observes a run. Its methods are called from several goroutines.
type Observer interface {
	// Progress is called every tellEvery, and at the end.
	Progress(Account)
	// Again is called for each entry that failed again; stops: it stops the run if not
	// all is sent.
	Again(e *dlq.Entry, stops bool)
	// Running is called with whether a notifier runs, which handles the requests, and
	// whenever that changes.
	Running(bool)
}

// ClientOptions are for the client of a Runner. It produces idempotently with acks=all,
// bounded in time and memory, and reads as a dlq.Tail does.
func ClientOptions(maxBytes int32) []kgo.Opt {
	return append(dlq.TailOptions(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.AllowIdempotentProduceCancellation(),
		kgo.RecordDeliveryTimeout(deliverFor),
		kgo.MaxBufferedRecords(20_000),
		kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProducerBatchMaxBytes(maxBytes),
	)
}

const (
	deliverFor = 30 * time.Second
	// drainFor is how long a cancelled run waits for requests in flight.
	drainFor = 5 * time.Second
	// canaryGrowth is how much larger each round of a run with a canary is.
	canaryGrowth = 4
	// tellEvery is the interval of progress reports.
	tellEvery = 100 * time.Millisecond
)

// errStopped ends the submitting after an entry that stops the run.
var errStopped = errors.New("an entry failed again")

// Check returns an error with what to try if requests cannot be written.
func (r *Runner) Check(ctx context.Context) error {
	topic := topics.Replay(r.Reader.Group())
	_, err := r.Reader.Spans(ctx, topic)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("%s: %w: run 'notifier topics create'", topic, err)
	}
	return err
}

// Run carries out the plan and returns its account, also with an error: ctx's cause, or
// why writing or reading failed. A run that was stopped because an entry failed
// again is no error: see Account.Stopped.
func (r *Runner) Run(ctx context.Context) (Account, error) {
	if r.Observer == nil {
		r.Observer = noObserver{}
	}
	watched := r.Wait || r.Canary > 0 || r.Rate > 0
	ctx, cancel := context.WithCancelCause(ctx)
	pace, stop := context.WithCancelCause(ctx)
	t := newTally(r.Plan, r.Reader.Group(), max(r.Canary, 0), watched, func() { stop(errStopped) })
	there := r.lookForNotifier(ctx, nil)
	var others sync.WaitGroup
	others.Go(func() { r.tell(ctx, t) })
	if watched {
		others.Go(func() {
			for sleep(ctx, cmp.Or(r.LookEvery, presentLook)) {
				there = r.lookForNotifier(ctx, there)
			}
		})
		others.Go(func() { cancel(r.watch(ctx, t)) })
	}
	err := r.carryOut(ctx, pace, stop, t)
	cancel(nil)
	others.Wait()
	return t.now(), err
}

func (r *Runner) carryOut(ctx, pace context.Context, stop context.CancelCauseFunc, t *tally) error {
	var err error
	size := r.Plan.Len()
	if r.Canary > 0 {
		size = r.Canary
	}
	for from := 0; from < r.Plan.Len() && err == nil; size *= canaryGrowth {
		to := from + min(size, r.Plan.Len()-from)
		err = r.submit(pace, stop, t, from, to)
		if err == nil && to < r.Plan.Len() {
			err = await(ctx, t)
		}
		from = to
	}
	if errors.Is(err, errStopped) {
		err = nil
	}
	if err == nil && r.Wait {
		err = await(ctx, t)
	}
	return err
}

// submit makes the requests of the places [from, to) and returns once they are
// acknowledged, or with pace's cause.
func (r *Runner) submit(pace context.Context, stop context.CancelCauseFunc, t *tally, from, to int) error {
	// Requests in flight are awaited for drainFor after pace ends.
	out, abandon := context.WithCancel(context.WithoutCancel(pace))
	defer abandon()
	defer context.AfterFunc(pace, func() { time.AfterFunc(drainFor, abandon) })()
	limit := limiter(r.Rate)
	for place := from; place < to; place++ {
		if limit.Wait(pace) != nil {
			break
		}
		if !t.take(place) {
			continue
		}
		rec := r.Plan.request(place).Record(r.Reader.Group())
		r.Client.Produce(out, rec, func(rec *kgo.Record, err error) {
			t.acknowledged(place, rec.Offset, err)
			if err != nil {
				stop(fmt.Errorf("write to %s: %w", rec.Topic, err)) // the first one counts
			}
		})
	}
	flushed := r.Client.Flush(out)
	if pace.Err() != nil {
		return context.Cause(pace)
	}
	return flushed
}

// limiter limits requests to a rate; 0: no limit. It has a burst of 10 ms, since timers
// have a resolution of a millisecond.
func limiter(perSecond float64) *rate.Limiter {
	if !(perSecond > 0) {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/100)))
}

// await waits until every request has an outcome.
func await(ctx context.Context, t *tally) error {
	for !t.settled() {
		select {
		case <-t.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// tell reports progress until ctx ends, and once more then.
func (r *Runner) tell(ctx context.Context, t *tally) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		r.Observer.Progress(t.now())
	}
}

type noObserver struct{}

func (noObserver) Progress(Account)       {}
func (noObserver) Again(*dlq.Entry, bool) {}
func (noObserver) Running(bool)           {}
