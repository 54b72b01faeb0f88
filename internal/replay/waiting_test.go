package replay_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func TestEntryWaitsUntilItsRequestIsSettled(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c)
	write(t, w, entry("re_0", nil), entry("re_1", nil))
	q := &replay.Request{Entry: "re_0", Source: topics.TradeExecutions, Version: 0, By: "ann@desk", Run: "rp_1", Total: 1}
	c.Produce(q.Record(c.Group))
	states := func() string {
		var s []string
		r := dlq.NewReader(c.Client(), c.Group)
		spans, err := r.Ends(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := replay.Each(t.Context(), r, spans, dlq.Query{}, func(e *dlq.Entry) bool {
			s = append(s, e.ID+" "+string(e.State))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(s, ", ")
	}
	if got := states(); got != "re_1 open, re_0 waiting" {
		t.Error(got)
	}
	write(t, w, entry("re_0", nil).Again("", 3)) // it failed again: that request is over
	if got := states(); got != "re_0 open, re_1 open" {
		t.Error(got)
	}
	q.Version = 2
	c.Produce(q.Record(c.Group))
	if got := states(); got != "re_0 waiting, re_1 open" {
		t.Error(got)
	}
	offsets := make(kadm.Offsets)
	offsets.AddOffset(topics.Replay(c.Group), 0, 2, -1)
	if _, err := c.Admin.CommitOffsets(t.Context(), c.Group, offsets); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "re_0 open, re_1 open" { // it was dropped
		t.Error(got)
	}
}

func TestFindAcceptsIDPrefix(t *testing.T) {
	c := testkafka.Start(t, nil)
	write(t, writer(t, c), entry("re_abc", []byte("x")), entry("re_abd", nil))
	r := dlq.NewReader(c.Client(), c.Group)
	for _, id := range []string{"re_abc", "re_abd"} {
		if e, err := replay.Find(t.Context(), r, id); err != nil || e.ID != id || e.State != dlq.Open {
			t.Errorf("%s: %+v, %v", id, e, err)
		}
	}
	for prefix, several := range map[string]int{"re_ab": 2, "re_x": 0} {
		_, err := replay.Find(t.Context(), r, prefix)
		var none *replay.NotFoundError
		if !errors.As(err, &none) || none.Prefix != prefix || none.Count != several {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

func TestFoundEntryWaitsUntilItsRequestIsSettled(t *testing.T) {
	c := testkafka.Start(t, nil)
	write(t, writer(t, c), entry("re_0", []byte("x")))
	q := &replay.Request{Entry: "re_0", Source: topics.TradeExecutions, By: "ann@desk", Run: "rp_1", Total: 1}
	c.Produce(q.Record(c.Group))
	e, err := replay.Find(t.Context(), dlq.NewReader(c.Client(), c.Group), "re_0")
	if err != nil || e.State != dlq.Waiting || string(e.Envelope.Source.Value) != "x" {
		t.Errorf("%+v, %v", e, err)
	}
}
