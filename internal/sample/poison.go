package sample

import (
	"bytes"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// corruptions are typical mistakes of producers, each undecodable for another cause.
// They are used in this order.
var corruptions = []corruption{
	{topics.TradeExecutions, truncated},
	{topics.PortfolioUpdates, pickled},
	{topics.ForwardTestEvents, batched},
	{topics.TradeExecutions, trailing},
	{topics.PortfolioUpdates, latin1},
	{topics.PortfolioUpdates, avro},
}

type corruption struct {
	topic topics.Name
	bytes func([]byte) []byte
}

// truncated drops the end of a value.
func truncated(value []byte) []byte { return value[:len(value)*3/5] }

// pickled returns a snapshot of Python's pickle.dumps (protocol 4).
func pickled([]byte) []byte {
	return []byte("\x80\x04\x95e\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x0aevent_type\x94\x8c\x12portfolio.snapshot\x94" +
		"\x8c\x0aaccount_id\x94\x8c\x08ACC-1012\x94\x8c\x06equity\x94GA/\x8f\xc5\x19\x99\x99\x9a\x8c\x08drawdown\x94G?\x88\x93t\xbcj~\xfau.")
}

// batched returns a JSON array of events.
func batched(value []byte) []byte { return append(append([]byte("["), value...), ']') }

// trailing appends a second event.
func trailing(value []byte) []byte { return append(append(bytes.Clone(value), '\n'), value...) }

// latin1 adds a Latin-1 character, which is not UTF-8.
func latin1(value []byte) []byte {
	return bytes.Replace(value, []byte(`"currency":"USD"`), []byte("\"currency\":\"USD\",\"desk\":\"Z\xfcrich\""), 1)
}

// avro returns a value with a schema registry's prefix and binary fields.
func avro([]byte) []byte {
	return []byte("\x00\x00\x00\x00\x2a\x10ACC-1012\x02\xd2\x0f\x00\x9a\x99\x99\x19\xc5\x8f/A")
}

// notANumber writes ratios as NaN, as Python does. The decoder reads them as null.
func notANumber(value []byte) []byte {
	return bytes.Replace(value, []byte(`"sharpe":0,"sortino":0`), []byte(`"sharpe":NaN,"sortino":NaN`), 1)
}

// addPoison adds an event that cannot be decoded.
func (s *Story) addPoison(at time.Duration, c corruption) {
	t := backgroundTrader(s.script)
	var e event
	switch c.topic {
	case topics.TradeExecutions:
		e = s.newOrder(at, t, "buy", 40).filled(0, 40, 0.5, 30)
	case topics.ForwardTestEvents:
		e = s.nextTest().event("forward_test.progress", "running", 0.3)
	default:
		e = snapshot(s.script, at, t.account, ordinaryShape(s.script))
	}
	s.add(at, c.topic, e, c.bytes)
}
