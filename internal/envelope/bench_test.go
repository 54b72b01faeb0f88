package envelope

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
)

// usual is an envelope of a source record without headers.
func usual() *Envelope {
	at := offsets.Position{Epoch: 1, Offset: 123456}
	return &Envelope{
		Source: Source{Topic: "trade-executions", TopicID: "AAAAAAAAAAAAAAAAAAAAAQ", Partition: 3, Offset: 123456, Time: time.UnixMilli(1.8e12).UTC(), Key: []byte("s12"), Value: make([]byte, 350)},
		Alert: &alert.Alert{
			ID: "al_2rsxkcbd6wb7o3e4l5h6j7k2mn", Rule: "rejected", Severity: alert.Warning, Key: []string{"o-12345"}, Topic: "trade-executions",
			Title: alert.Text{{Text: "Rejected "}, {Text: "AAPL", Value: true}, {Text: " "}, {Text: "o-12345", Value: true}}, EventTime: time.UnixMilli(1.8e12).UTC(),
			EventType: "trade_execution", EventID: "e12345",
		},
		Delivery: "dl_2rsxkcbd6wb7o3e4l5h6j7k2mn", Channel: "hook",
		From: offsets.Origin{Input: offsets.Input{Topic: "AAAAAAAAAAAAAAAAAAAAAQ", Partition: 3}, From: at, Done: at, Delivery: "dl_2rsxkcbd6wb7o3e4l5h6j7k2mn"},
	}
}

func BenchmarkWrap(b *testing.B) {
	e := usual()
	b.ReportAllocs()
	for b.Loop() {
		Wrap(e)
	}
}

func BenchmarkParse(b *testing.B) {
	r := Wrap(usual())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestUsualEnvelopeAllocatesLittle: of each alert and channel, one is written and one
// read.
func TestUsualEnvelopeAllocatesLittle(t *testing.T) {
	e := usual()
	if n := testing.AllocsPerRun(100, func() { Wrap(e) }); n > 6 {
		t.Errorf("Wrap allocates %v times", n)
	}
	r := Wrap(e)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Parse(r) }); n > 24 {
		t.Errorf("Parse allocates %v times", n)
	}
}
