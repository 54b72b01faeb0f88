package bench

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/secret"
)

// BenchmarkSuspendedChannel is the CPU time of a minute in which 25,000 alerts wait for
// a webhook that answers 401, once all are in its outbox and the channel is suspended.
// idle is that of a minute without alerts.
func BenchmarkSuspendedChannel(b *testing.B) {
	const alerts = 25_000
	var refused atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refused.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	b.Cleanup(receiver.Close)
	c, err := webhook.New(webhook.Config{URL: secret.New(receiver.URL)}, 16, nil)
	if err != nil {
		b.Fatal(err)
	}
	d := newDesk(b)
	e := d.run(c, 16)
	minute := func() float64 {
		began := processTime()
		time.Sleep(time.Minute)
		return (processTime() - began).Seconds()
	}
	time.Sleep(5 * time.Second)
	b.ReportMetric(minute(), "idle-cpu-s")
	d.fill(alerts, 1)
	until(b, func() bool { return e.handled.records() >= alerts && refused.Load() > 2 })
	time.Sleep(15 * time.Second)
	before := refused.Load()
	b.ReportMetric(minute(), "cpu-s")
	b.ReportMetric(float64(refused.Load()-before), "attempts")
	e.stop()
}
