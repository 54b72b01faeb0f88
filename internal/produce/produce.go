// Package produce is the engine of `notifier produce`: it sends documents to a
// source topic, each one checked with the decoder that the daemon uses before
// it goes out. It refuses what the daemon would dead-letter, and what the daemon
// tolerates but other readers of the topic do not.
//
// Invariants: a document that is refused is never sent, and what was handed to
// the client when Run is stopped is the beginning of the input. Start reading
// at Run.
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

// Params says what to send and how.
type Params struct {
	// Client sends the records. Its partitioner should be kgo's default, which
	// puts a key where the platform's producers put it (murmur2). What it does
	// not deliver within its own limits is an error of Run.
	Client *kgo.Client
	Topic  topics.Name

	// Lines holds one document a line; blank lines are skipped. Where it is to be
	// sent several times it is rewound, or kept, if it cannot be (keepAtMost).
	// Sample, where it is not nil, is one document to send instead, over as many
	// lines as it likes; its event_id and occurred_at are made new each time, so
	// that it is another event and not a late one.
	Lines  io.Reader
	Sample []byte

	// Decode checks a document. It is not called when Raw is set: then every
	// line, an empty one too, or the sample, is sent as it stands.
	Decode func(event.Record) (event.Event, error)
	Raw    bool
	// Types are the known types of events and their topics. A document of another
	// type is sent, and warned about once.
	Types map[string]topics.Name

	Key   *string // the record key; nil: the document's session_id, or none
	Count int     // how often everything is sent; 0 means once
	Rate  float64 // records a second; 0 means as fast as the brokers take them

	// KeepGoing leaves documents out that are refused, instead of stopping.
	KeepGoing bool
	// Say is told each refusal when KeepGoing is set, and each warning. An error
	// of it stops the run. It is not called by two goroutines at once.
	Say func(text string) error

	// Progress is the terminal to draw a bar on when it takes longer than a
	// second; nil draws none.
	Progress io.Writer
	Now      func() time.Time // for the sample's time; nil is time.Now
}

// Account is what was done, also when it ended with an error.
type Account struct {
	Sent       int   // records that the brokers have acknowledged
	Bytes      int64 // of their values
	Refused    int   // documents that were left out
	Unanswered int   // records that were sent without an answer: they may be there
	Line       int   // the last line that was looked at; 0 for a sample
}

const (
	// room and unit bound what waits for an acknowledgement: so many units, of
	// which a record takes one and another for each full one of its bytes.
	room = 4096
	unit = 16 << 10
	// DeliveryTimeout is for how long the client should try to deliver a record.
	DeliveryTimeout = 30 * time.Second
)

// drainFor bounds how long a Run that was cancelled waits for what is on its way.
// It is a variable for tests.
var drainFor = 5 * time.Second

// Run sends the documents and waits until the brokers have acknowledged them.
// It stops at the first that is refused, unless KeepGoing is set, and at the
// first that cannot be sent; the error then names its line and says how many
// were sent. When ctx is cancelled it reads no further, waits for what was
// handed to the client, for drainFor at most, and the error is ctx's cause.
func Run(ctx context.Context, p Params) (Account, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Say == nil {
		p.Say = func(string) error { return nil }
	}
	s := &sender{Params: p, limit: limiter(p.Rate), bar: term.NewBar(p.Progress, "sending", "events"), room: make(chan struct{}, room)}
	defer s.bar.Finish()

	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.stop = stop
	err := s.sendAll(sending)

	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainFor, cancel) })()
	flushed := p.Client.Flush(drain)

	account := s.account()
	if cause := context.Cause(sending); cause != nil { // cancelled, or the brokers refused
		err = cause
	}
	if err == nil {
		err = flushed
	}
	if err == nil {
		return account, nil
	}
	text := fmt.Sprintf("%d sent before", account.Sent)
	if ctx.Err() != nil && account.Line > 0 {
		text += fmt.Sprintf(", up to line %d", account.Line)
	}
	if account.Unanswered > 0 {
		text += fmt.Sprintf(", %d without an answer, which may be there", account.Unanswered)
	}
	return account, fmt.Errorf("%w (%s)", err, text)
}

type sender struct {
	Params
	limit *rate.Limiter // nil: none
	bar   *term.Bar
	stop  context.CancelCauseFunc
	room  chan struct{} // holds a token for each unit that waits for an answer

	handed, line int // records given to the client, and the last line
	refused      atomic.Int64
	answered     atomic.Int64
	sent         atomic.Int64
	bytes        atomic.Int64

	saying sync.Mutex
	warned map[string]bool // types that were warned about
}

func (s *sender) account() Account {
	return Account{
		Sent: int(s.sent.Load()), Bytes: s.bytes.Load(), Refused: int(s.refused.Load()),
		Unanswered: s.handed - int(s.answered.Load()), Line: s.line,
	}
}

// sendAll goes through the documents as often as it should.
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

// send checks a document and hands it to the client; where names it in errors.
func (s *sender) send(ctx context.Context, where string, doc []byte) error {
	r := &kgo.Record{Topic: string(s.Topic), Value: doc}
	if !s.Raw {
		e, err := s.check(where, doc)
		if err != nil {
			return s.leaveOut(err)
		}
		if err := s.warnOfType(where, e.Type); err != nil {
			return err
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
	units := 1 + len(doc)/unit
	for range units {
		select {
		case s.room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil { // there was room besides
		return err
	}
	s.handed++
	// Not with ctx: what was handed over is finished when it is cancelled.
	s.Client.Produce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) {
		s.answered.Add(1)
		switch {
		case err == nil:
			s.sent.Add(1)
			s.bytes.Add(int64(len(doc)))
			s.bar.Add(1)
		case errors.Is(err, kerr.MessageTooLarge):
			err := fmt.Errorf("%s: %d bytes are more than topic %s takes in a record (max.message.bytes)", where, len(doc), s.Topic)
			if err := s.leaveOut(err); err != nil {
				s.stop(err) // the first one counts
			}
		default:
			s.stop(s.failed(where, err))
		}
		for range units {
			<-s.room
		}
	})
	return nil
}

// leaveOut counts a document that is refused and returns nil, if the run goes
// on without it.
func (s *sender) leaveOut(err error) error {
	if !s.KeepGoing {
		return err
	}
	s.refused.Add(1)
	return s.say(err.Error())
}

func (s *sender) say(text string) (err error) {
	s.saying.Lock()
	defer s.saying.Unlock()
	s.bar.Above(func() { err = s.Say(text) })
	return err
}

// failed says why the brokers do not take records at all.
func (s *sender) failed(where string, err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("there is no topic %s: run 'notifier topics create'", s.Topic)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fmt.Errorf("not allowed to write to topic %s (%w)", s.Topic, err)
	case errors.Is(err, kgo.ErrRecordTimeout):
		return fmt.Errorf("send %s to %s: the brokers have not taken it for %s", where, s.Topic, DeliveryTimeout)
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
