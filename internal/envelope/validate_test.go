package envelope

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
)

// TestForgedRecordsAreRejected: a record with an invalid topic, id or name is
// foreign although it is in the format.
func TestForgedRecordsAreRejected(t *testing.T) {
	good := func() *Envelope {
		return &Envelope{
			Source:   Source{Topic: "trade-executions", Key: []byte("k"), Value: []byte("{}"), Time: time.Now()},
			Delivery: "dl_abc", Channel: "desk", Alert: &alert.Alert{ID: "al_abc", Rule: "order-rejected", Severity: alert.Warning, Topic: "trade-executions"},
		}
	}
	if _, _, err := Parse(Wrap(good())); err != nil {
		t.Fatal(err)
	}
	replay := func(e *Envelope) *Replay {
		e.Replay = &Replay{Entry: e.Delivery, Version: 7, Number: 1}
		return e.Replay
	}
	for name, forge := range map[string]func(*Envelope){
		"a topic that is no source":     func(e *Envelope) { e.Source.Topic = "payments" },
		"no topic":                      func(e *Envelope) { e.Source.Topic = "" },
		"a negative partition":          func(e *Envelope) { e.Source.Partition = -1 },
		"a negative offset":             func(e *Envelope) { e.Source.Offset = math.MinInt64 },
		"a line break in its id":        func(e *Envelope) { e.Delivery = "dl_a\r\nx" },
		"an id without end":             func(e *Envelope) { e.Delivery = strings.Repeat("a", 100) },
		"an alert's id that is none":    func(e *Envelope) { e.Alert.ID = "<al>" },
		"a channel's name of two lines": func(e *Envelope) { e.Channel = "desk\nx" },
		"no delivery for its channel":   func(e *Envelope) { e.Delivery = "" },
		"an unknown severity":           func(e *Envelope) { e.Alert.Severity = "fatal" },
		"no severity":                   func(e *Envelope) { e.Alert.Severity = "" },
		"a rule without a name":         func(e *Envelope) { e.Alert.Rule = "" },
		"a rule's name without end":     func(e *Envelope) { e.Alert.Rule = strings.Repeat("r", 65) },
		"a rule's name of two lines":    func(e *Envelope) { e.Alert.Rule = "a\nb" },
		"a notice of a rule":            func(e *Envelope) { e.Alert.Topic, e.Source.Topic = alert.Notifier, alert.Notifier },
		"an alert without source":       func(e *Envelope) { e.Source.Topic, e.Alert.Topic = alert.Notifier, "" },
		"an alert of another topic":     func(e *Envelope) { e.Alert.Topic = "portfolio-updates" },
		"instead of what is no channel": func(e *Envelope) { e.Instead = &Instead{Channel: "a\nb"} },
		"an entry that is none":         func(e *Envelope) { replay(e).Entry = "dl abc" },
		"a negative version":            func(e *Envelope) { replay(e).Version = -1 },
		"a replay before the first":     func(e *Envelope) { replay(e).Number = 0 },
	} {
		e := good()
		forge(e)
		if _, _, err := Parse(Wrap(e)); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTimestampsOfAnyYearAreKept: a timestamp in the wrong unit does not make
// the record foreign.
func TestTimestampsOfAnyYearAreKept(t *testing.T) {
	for _, ms := range []int64{-1, 0, 1795444265, 1795444265000, 1795444265000000, math.MaxInt64, math.MinInt64} {
		e := &Envelope{Source: Source{Topic: "trade-executions", Value: []byte("{}"), Time: time.UnixMilli(ms)}}
		got, _, err := Parse(Wrap(e))
		if err != nil || got.Source.Time.UnixMilli() != ms {
			t.Errorf("%d: %v", ms, err)
		}
	}
	r := Wrap(&Envelope{Source: Source{Topic: "trade-executions", Value: []byte("{}"), Time: time.UnixMilli(1)}})
	for i, h := range r.Headers {
		if h.Key == hSourceTimestamp {
			r.Headers[i] = kgo.RecordHeader{Key: h.Key, Value: []byte("soon")}
		}
	}
	if _, _, err := Parse(r); !errors.Is(err, ErrForeign) {
		t.Errorf("soon: %v", err)
	}
}

// TestReplayUserNamesArePrintable: who asked and why come from a topic, and are shown.
func TestReplayUserNamesArePrintable(t *testing.T) {
	e := &Envelope{
		Source: Source{Topic: "trade-executions", Value: []byte("{}")}, Delivery: "dl_abc", Channel: "desk",
		Alert:  &alert.Alert{ID: "al_abc", Rule: "r", Severity: alert.Info},
		Replay: &Replay{Entry: "dl_abc", Number: 1, By: "ann\x1b[2J" + strings.Repeat("é", 500), EditedBy: "b\nc", Edited: []byte("{}")},
	}
	got, _, err := Parse(Wrap(e))
	if err != nil {
		t.Fatal(err)
	}
	if by := got.Replay.By; len(by) > 64 || strings.ContainsAny(by, "\x1b") || !strings.HasPrefix(by, "ann") || strings.ToValidUTF8(by, "") != by {
		t.Errorf("by %q", by)
	}
	if got.Replay.EditedBy != "b c" {
		t.Errorf("edited by %q", got.Replay.EditedBy)
	}
}
