// Package produce implements `notifier produce`: it checks documents with the
// daemon's decoder and sends them to a source topic. It refuses documents that the
// daemon would dead-letter or repair.
//
// Invariants: a refused document is not sent; if Run is stopped, the documents that
// were sent are the beginning of the input. Start reading at Run.
package produce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// Params are the input and options of Run.
type Params struct {
	// Client sends the records. Its partitioner should be kgo's default (murmur2).
	// nil: they are only checked, and Result.Sent is the number of accepted ones.
	Client *kgo.Client
	Topic  topics.Name

	// Lines has one document per line; blank lines are skipped. To repeat it, Run
	// rewinds it or, if that fails, keeps it in memory (maxKept).
	Lines io.Reader
	// Sample is one document to send instead of Lines, with a new id and time, which
	// Fields locate, each time; nil: Lines.
	Sample []byte
	Fields event.Fields

	Decode func(event.Record) (event.Event, error) // checks a document
	Raw    bool                                    // send the bytes unchecked, with empty lines
	Types  map[string]topics.Name                  // known event types; others are reported once

	Key   *string // record key; nil: the document's session_id, or none
	Count int     // how often to send the input; 0: once
	Rate  float64 // records per second; 0: no limit

	KeepGoing bool // skip refused documents instead of stopping
	// Report is called with each skipped document and each warning, never
	// concurrently. Its error stops the run.
	Report func(text string) error

	Progress io.Writer        // terminal for a progress bar; nil: none
	Now      func() time.Time // time of the sample; nil: time.Now
}

// Result is the result of Run, also of one that failed.
type Result struct {
	Sent           int   // acknowledged records
	Bytes          int64 // of their values
	Refused        int   // skipped documents
	Unacknowledged int   // records without an acknowledgement, which may have been written
	Line           int   // last line that was read; 0 for a sample
}

// DeliveryTimeout is the time-out of a record that the client should have.
const DeliveryTimeout = 30 * time.Second

// Limit of unacknowledged records: window units. A record takes one unit, and one
// more for each unit of its bytes.
const (
	window = 4096
	unit   = 16 << 10 // bytes
)

// drainFor limits how long a cancelled Run waits for acknowledgements. It is a
// variable for tests.
var drainFor = 5 * time.Second

// Run sends the documents and waits for their acknowledgements. It stops at the first
// refused document, unless KeepGoing is set, and at the first record that cannot be
// sent; the error has its line and the number of sent records. If ctx is cancelled,
// Run waits up to drainFor for acknowledgements and returns ctx's cause.
func Run(ctx context.Context, p Params) (Result, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Report == nil {
		p.Report = func(string) error { return nil }
	}
	s := &sender{Params: p, limit: limiter(p.Rate), bar: term.NewBar(p.Progress, "sending", "events"), window: make(chan struct{}, window)}
	defer s.bar.Finish()

	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.stop = stop
	err := s.sendAll(sending)

	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainFor, cancel) })()
	var flushed error
	if p.Client != nil {
		flushed = p.Client.Flush(drain)
	}

	done := s.result()
	if cause := context.Cause(sending); cause != nil { // cancelled, or the brokers refused
		err = cause
	}
	if err == nil {
		err = flushed
	}
	if err == nil {
		return done, nil
	}
	text := fmt.Sprintf("%d sent before", done.Sent)
	if p.Client == nil {
		text = fmt.Sprintf("%d accepted before", done.Sent)
	}
	if ctx.Err() != nil && done.Line > 0 {
		text += fmt.Sprintf(", up to line %d", done.Line)
	}
	if done.Unacknowledged > 0 {
		text += fmt.Sprintf(", %d not acknowledged, which may have been written", done.Unacknowledged)
	}
	return done, fmt.Errorf("%w (%s)", err, text)
}

type sender struct {
	Params
	limit  *rate.Limiter // nil: none
	bar    *term.Bar
	stop   context.CancelCauseFunc
	window chan struct{} // a token for each unacknowledged unit

	produced, line int // records passed to the client, and the last line
	refused        atomic.Int64
	acknowledged   atomic.Int64
	sent           atomic.Int64
	bytes          atomic.Int64

	reporting sync.Mutex
	warned    map[string]bool // reported types and members
}

func (s *sender) result() Result {
	return Result{
		Sent: int(s.sent.Load()), Bytes: s.bytes.Load(), Refused: int(s.refused.Load()),
		Unacknowledged: s.produced - int(s.acknowledged.Load()), Line: s.line,
	}
}

// sendAll sends the input Count times.
func (s *sender) sendAll(ctx context.Context) error {
	if s.Sample != nil {
		s.bar.Expect(max(s.Count, 1))
		for range max(s.Count, 1) {
			doc, err := s.sample()
			if err != nil {
				return err
			}
			if err := s.send(ctx, "the sample", doc); err != nil {
				return err
			}
		}
		return nil
	}
	for l, err := range repeated(ctx, s.Lines, max(s.Count, 1)) {
		if err != nil {
			return err
		}
		if s.Raw || len(bytes.TrimSpace(l.text)) > 0 {
			if err := s.send(ctx, l.String(), l.text); err != nil {
				return err
			}
		}
		s.line = l.number
	}
	return nil
}

// send checks a document and passes it to the client; place names it in errors.
func (s *sender) send(ctx context.Context, place string, doc []byte) error {
	r := &kgo.Record{Topic: string(s.Topic), Value: doc}
	if !s.Raw {
		e, err := s.check(place, doc)
		if err != nil {
			return s.skip(err)
		}
		if err := s.warnType(place, e.Type); err != nil {
			return err
		}
		if err := s.warnMembers(place, e.Doc); err != nil {
			return err
		}
		if err := s.warnViolation(place, e.Violation); err != nil {
			return err
		}
		if id := e.Doc.Get("session_id"); !id.IsNil() {
			r.Key = []byte(id.Text())
		}
	}
	if s.Key != nil {
		r.Key = []byte(*s.Key)
	}
	if s.Client == nil {
		s.sent.Add(1)
		s.bytes.Add(int64(len(doc)))
		return ctx.Err()
	}
	if s.limit != nil {
		if err := s.limit.Wait(ctx); err != nil {
			return err
		}
	}
	units := 1 + len(doc)/unit
	for range units {
		select {
		case s.window <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil { // both cases of select were ready
		return err
	}
	s.produced++
	// Without cancellation: Run waits for records that were passed to the client.
	s.Client.Produce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) {
		s.acknowledged.Add(1)
		switch {
		case err == nil:
			s.sent.Add(1)
			s.bytes.Add(int64(len(doc)))
			s.bar.Add(1)
		case errors.Is(err, kerr.MessageTooLarge):
			err := fmt.Errorf("%s: %d bytes are larger than max.message.bytes of topic %s", place, len(doc), s.Topic)
			if err := s.skip(err); err != nil {
				s.stop(err) // the first one counts
			}
		default:
			s.stop(s.sendError(place, err))
		}
		for range units {
			<-s.window
		}
	})
	return nil
}

// skip counts and reports a refused document if KeepGoing is set, else it returns err.
func (s *sender) skip(err error) error {
	if !s.KeepGoing {
		return err
	}
	s.refused.Add(1)
	return s.report(err.Error())
}

func (s *sender) report(text string) (err error) {
	s.reporting.Lock()
	defer s.reporting.Unlock()
	s.bar.Above(func() { err = s.Report(text) })
	return err
}

// sendError returns the error of a record that cannot be sent.
func (s *sender) sendError(place string, err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("topic %s does not exist: run 'notifier topics create'", s.Topic)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fmt.Errorf("not authorised: WRITE on topic %s (%w)", s.Topic, err)
	case errors.Is(err, kgo.ErrRecordTimeout):
		return fmt.Errorf("send %s to %s: not acknowledged within %s", place, s.Topic, DeliveryTimeout)
	}
	return fmt.Errorf("send %s to %s: %w", place, s.Topic, err)
}

// sample returns the sample with a new id and time.
func (s *sender) sample() ([]byte, error) {
	if s.Raw {
		return s.Sample, nil
	}
	doc, err := refresh(s.Sample, s.Fields, s.Now())
	if err != nil {
		return nil, fmt.Errorf("the sample: %w", err)
	}
	return doc, nil
}

// limiter limits records per second; nil: no limit. It allows bursts of 10 ms.
func limiter(perSecond float64) *rate.Limiter {
	if !(perSecond > 0) {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/100)))
}
