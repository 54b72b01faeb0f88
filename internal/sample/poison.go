package sample

import (
	"bytes"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// spoils are what producers really do to an event: each makes the bytes of a
// good one undecodable, for another cause. They come in this order.
var spoils = []spoil{
	{topics.TradeExecutions, truncated},
	{topics.PortfolioUpdates, pickled},
	{topics.ForwardTestEvents, batched},
	{topics.TradeExecutions, trailing},
	{topics.PortfolioUpdates, latin1},
	{topics.PortfolioUpdates, avro},
}

type spoil struct {
	topic topics.Name
	bytes func([]byte) []byte
}

// truncated loses the end, as a producer that cuts at a buffer's size.
func truncated(value []byte) []byte { return value[:len(value)*3/5] }

// pickled is what Python's pickle.dumps makes of a snapshot (protocol 4).
func pickled([]byte) []byte {
	return []byte("\x80\x04\x95e\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x0aevent_type\x94\x8c\x12portfolio.snapshot\x94" +
		"\x8c\x0aaccount_id\x94\x8c\x08ACC-1012\x94\x8c\x06equity\x94GA/\x8f\xc5\x19\x99\x99\x9a\x8c\x08drawdown\x94G?\x88\x93t\xbcj~\xfau.")
}

// batched sends a list of events as one.
func batched(value []byte) []byte { return append(append([]byte("["), value...), ']') }

// trailing sends a second event in the same record.
func trailing(value []byte) []byte { return append(append(bytes.Clone(value), '\n'), value...) }

// latin1 writes an accent in one byte, which is not UTF-8.
func latin1(value []byte) []byte {
	return bytes.Replace(value, []byte(`"currency":"USD"`), []byte("\"currency\":\"USD\",\"desk\":\"Z\xfcrich\""), 1)
}

// avro is framed for a schema registry: a zero, a schema id, binary fields.
func avro([]byte) []byte {
	return []byte("\x00\x00\x00\x00\x2a\x10ACC-1012\x02\xd2\x0f\x00\x9a\x99\x99\x19\xc5\x8f/A")
}

// notANumber is no poison, though it is not JSON: Python writes a young test's
// ratios so, and they are read as null.
func notANumber(value []byte) []byte {
	return bytes.Replace(value, []byte(`"sharpe":0,"sortino":0`), []byte(`"sharpe":NaN,"sortino":NaN`), 1)
}

// poison puts an event on its way that nobody will be able to read.
func (s *Story) poison(at time.Duration, how spoil) {
	c := extra(s.script)
	var e event
	switch how.topic {
	case topics.TradeExecutions:
		e = s.scripted(at, c, "buy", 40).filled(0, 40, 0.5, 30)
	case topics.ForwardTestEvents:
		e = s.nextTest().event("forward_test.progress", "running", 0.3)
	default:
		e = snapshot(s.script, at, c.account, calmShape(s.script))
	}
	s.add(at, how.topic, e, how.bytes)
}
