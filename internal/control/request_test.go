package control_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/topics"
)

func TestRequestRoundTrip(t *testing.T) {
	q := control.Request{From: "desk", To: "mail", TopicID: "id", Below: map[int32]int64{0: 7, 3: 1 << 40}, By: "ann@host"}
	r := q.Record("g")
	got, err := control.Parse(r)
	if err != nil || !reflect.DeepEqual(got, q) || r.Topic != topics.Replay("g") {
		t.Errorf("%+v, %v: want %+v", got, err, q)
	}
	if _, err := replay.ParseRequest(r); err == nil {
		t.Error("it is taken for a request to send a dead letter again")
	}
	for _, c := range []struct {
		id        string
		partition int32
		offset    int64
		want      bool
	}{{"id", 0, 6, true}, {"id", 0, 7, false}, {"id", 1, 0, false}, {"id", 3, 1<<40 - 1, true}, {"other", 0, 6, false}} {
		if got.Covers(c.id, c.partition, c.offset) != c.want {
			t.Errorf("%+v is not %v", c, c.want)
		}
	}
}

func TestOtherRecordsAreNoRequests(t *testing.T) {
	replay := replay.Request{Entry: "dl_x", Source: topics.TradeExecutions, Version: 3, Channel: "desk"}
	later := (&control.Request{From: "a", To: "b", Below: map[int32]int64{0: 1}}).Record("g")
	later.Headers[0].Value = []byte("2")
	for name, r := range map[string]*kgo.Record{
		"nothing":          {},
		"a replay":         replay.Record("g"),
		"a later version":  later,
		"to itself":        (&control.Request{From: "a", To: "a", Below: map[int32]int64{0: 1}}).Record("g"),
		"without an end":   (&control.Request{From: "a", To: "b"}).Record("g"),
		"without anywhere": (&control.Request{From: "a", Below: map[int32]int64{0: 1}}).Record("g"),
		"of no name":       (&control.Request{From: "a b", To: "c", Below: map[int32]int64{0: 1}}).Record("g"),
		"to a topic":       (&control.Request{From: "a", To: "b/../c", Below: map[int32]int64{0: 1}}).Record("g"),
		"a long name":      (&control.Request{From: strings.Repeat("a", 65), To: "b", Below: map[int32]int64{0: 1}}).Record("g"),
		"negative":         (&control.Request{From: "a", To: "b", Below: map[int32]int64{0: -1, -3: 7}}).Record("g"),
	} {
		if q, err := control.Parse(r); !errors.Is(err, control.ErrNone) {
			t.Errorf("%s: %+v, %v", name, q, err)
		}
	}
}
