package bench

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/topics"
)

// BenchmarkReplaySubmit plans to send a million dead letters again and asks for
// them, as fast as it goes.
func BenchmarkReplaySubmit(b *testing.B) {
	const n = 1_000_000
	d := newDesk(b)
	d.deadLetters(n)
	cl := d.client(dlq.ProducerOptions(kafka.MaxEnvelope)...)
	r := dlq.NewReader(cl, group)
	stop := peak()
	began := time.Now()
	spans, err := r.Ends(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	p := dlq.NewPlan(dlq.Replay{By: "ann@desk", Comment: "the receiver is mended", Run: dlq.NewRun(began)})
	if err := r.EachOf(b.Context(), spans, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
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
	run := dlq.Runner{Reader: r, Client: cl, Plan: p, Spans: spans}
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
