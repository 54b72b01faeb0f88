package bench

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/topics"
)

// BenchmarkReplaySubmit plans to send a million dead letters again and asks for
// them, as fast as it goes.
func BenchmarkReplaySubmit(b *testing.B) {
	const n = 1_000_000
	d := newDesk(b)
	d.deadLetters(n)
	cl := d.client(replay.ClientOptions(kafka.MaxEnvelope)...)
	r := dlq.NewReader(cl, group)
	stop := peak()
	began := time.Now()
	spans, err := r.Ends(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	p := replay.NewPlan(replay.Options{By: "ann@desk", Comment: "the receiver is fixed", Run: replay.NewRun(began)})
	if err := replay.Each(b.Context(), r, spans, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
		p.Add(e)
		return true
	}); err != nil {
		b.Fatal(err)
	}
	p.Close()
	planned := time.Since(began)
	planning := stop()
	if p.Len() != n {
		b.Fatalf("%d entries planned, %v left out", p.Len(), p.LeftOut)
	}
	stop = peak()
	began = time.Now()
	run := replay.Runner{Reader: r, Client: cl, Plan: p, Spans: spans}
	account, err := run.Run(b.Context())
	if err != nil || account.Sent != n {
		b.Fatalf("%+v %v", account, err)
	}
	took := time.Since(began)
	requests, err := r.Spans(b.Context(), topics.Replay(group))
	if err != nil || requests[0].End != n {
		b.Fatalf("%+v %v", requests, err)
	}
	b.ReportMetric(planned.Seconds(), "plan-s")
	b.ReportMetric(planning, "plan-MiB")
	b.ReportMetric(n/took.Seconds(), "entries/s")
	b.ReportMetric(stop(), "MiB")
}
