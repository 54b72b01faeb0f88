// Package produce is the engine of `notifier produce`: it sends documents to a
// source topic, each one checked with the decoder that the daemon uses before
// it goes out, so that what it refuses is what the daemon would dead-letter.
//
// Invariant: a document that does not decode is never sent, nor is anything
// behind it. Start reading at Run.
package produce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/progress"
	"github.com/algotrade/notifier/internal/topics"
)

// Params says what to send and how.
type Params struct {
	// Client sends the records. Its partitioner should be kgo's default, which
	// puts a key where the platform's producers put it (murmur2). What it does
	// not deliver within its own limits is an error of Run.
	Client *kgo.Client
	Topic  topics.Name

	// Lines holds one document a line; empty lines are skipped. Sample, where
	// it is not nil, is one document to send instead, over as many lines as it
	// likes; its event_id and occurred_at are made new each time, so that it is
	// another event and not a late one.
	Lines  io.Reader
	Sample []byte

	// Decode checks a document. It is not called when Raw is set: then every
	// line, an empty one too, or the sample, is sent as it stands.
	Decode func(event.Record) (event.Event, error)
	Raw    bool

	Key   *string // the record key; nil: the document's session_id, or none
	Count int     // how often everything is sent; 0 means once
	Rate  float64 // records a second; 0 means as fast as the brokers take them

	// Progress is the terminal to draw a bar on when it takes longer than a
	// second; nil draws none.
	Progress io.Writer
	Now      func() time.Time // for the sample's time; nil is time.Now
}

// Account is what was done, also when it ended with an error.
type Account struct {
	Sent  int   // records that the brokers have acknowledged
	Bytes int64 // of their values
}

// drainFor bounds how long a cancelled Run waits for what is on its way.
const drainFor = 5 * time.Second

// Run sends the documents and waits until the brokers have acknowledged them.
// It stops at the first that does not decode or cannot be sent; the error then
// names its line and says how many were sent. When ctx is cancelled the error
// is its cause.
func Run(ctx context.Context, p Params) (Account, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	s := &sender{Params: p, limit: limiter(p.Rate), bar: progress.New(p.Progress, "sending", "events")}
	defer s.bar.Finish()

	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.stop = stop
	err := s.sendAll(sending)

	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainFor, cancel) })()
	flushed := p.Client.Flush(drain)

	account := Account{Sent: int(s.sent.Load()), Bytes: s.bytes.Load()}
	if err == nil {
		err = flushed
	}
	if err == nil && account.Sent == s.handed {
		return account, nil
	}
	if cause := context.Cause(sending); cause != nil { // cancelled, or a record was refused
		err = cause
	}
	return account, fmt.Errorf("%w (%d sent before)", err, account.Sent)
}

type sender struct {
	Params
	limit *rate.Limiter // nil: none
	bar   *progress.Bar
	stop  context.CancelCauseFunc

	handed int // records given to the client
	sent   atomic.Int64
	bytes  atomic.Int64
}

// sendAll goes through the documents as often as it should. Lines cannot be
// read twice, so they are kept when they are sent more than once.
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
	var kept []line
	for l, err := range lines(s.Lines) {
		if err != nil {
			return err
		}
		if len(l.text) == 0 && !s.Raw {
			continue
		}
		if s.Count > 1 {
			kept = append(kept, l)
		}
		if err := s.send(ctx, l.String(), l.text); err != nil {
			return err
		}
	}
	s.bar.Expect(len(kept) * s.Count)
	for range s.Count - 1 {
		for _, l := range kept {
			if err := s.send(ctx, l.String(), l.text); err != nil {
				return err
			}
		}
	}
	return nil
}

// send checks a document and hands it to the client; where names it in errors.
func (s *sender) send(ctx context.Context, where string, doc []byte) error {
	r := &kgo.Record{Topic: string(s.Topic), Value: doc}
	if !s.Raw {
		e, err := s.Decode(event.Record{Topic: r.Topic, Value: doc, Time: s.Now()})
		if err != nil {
			return fmt.Errorf("%s: %s", where, outcome.Classify(err).Detail)
		}
		if id := e.Doc.Get("session_id"); !id.IsNil() {
			r.Key = []byte(id.Text())
		}
	}
	if s.Key != nil {
		r.Key = []byte(*s.Key)
	}
	if s.limit != nil {
		if err := s.limit.Wait(ctx); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.handed++
	s.Client.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			s.stop(s.refused(where, err)) // the first one counts
			return
		}
		s.sent.Add(1)
		s.bytes.Add(int64(len(doc)))
		s.bar.Add(1)
	})
	return nil
}

// refused says why the brokers do not take a record.
func (s *sender) refused(where string, err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("there is no topic %s: run 'notifier topics create'", s.Topic)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fmt.Errorf("not allowed to write to topic %s: grant WRITE on it", s.Topic)
	}
	return fmt.Errorf("send %s to %s: %w", where, s.Topic, err)
}

// sample returns the sample as the document that is sent now.
func (s *sender) sample() ([]byte, error) {
	if s.Raw {
		return s.Sample, nil
	}
	doc, err := refresh(s.Sample, s.Now())
	if err != nil {
		return nil, fmt.Errorf("the sample: %w", err)
	}
	return doc, nil
}

// limiter lets so many records a second pass; nil for no limit. It has a burst
// of 10 ms, since timers are no finer than a millisecond.
func limiter(perSecond float64) *rate.Limiter {
	if !(perSecond > 0) {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/100)))
}
