package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/obs/tracing/tracingtest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// traced is the trace that a producer has begun: its trace, its span.
const producersTrace, producersSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// traced gives a record the headers of a producer that traces.
func traced(r *kgo.Record) *kgo.Record {
	r.Headers = []kgo.RecordHeader{
		{Key: "tracestate", Value: []byte("vendor=x")},
		{Key: "traceparent", Value: []byte("00-" + producersTrace + "-" + producersSpan + "-01")},
		{Key: "traceparent", Value: []byte("garbage")},
	}
	return r
}

// attributes checks those of a span; an empty one must not be there.
func attributes(t testing.TB, s tracingtest.Span, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if s.Attributes[key] != value {
			t.Errorf("%s of %q is %q, want %q", key, s.Name, s.Attributes[key], value)
		}
	}
}

// TestTraceSpansProducerToChannel follows one event through both
// stages: each span stands below the one before, in the producer's trace, and
// the webhook's receiver is told the attempt's.
func TestTraceSpansProducerToChannel(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	collector := tracingtest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	hook := webhooktest.Start(t, "", func(n int, _ webhooktest.Request) webhooktest.Answer {
		if n == 0 {
			return webhooktest.Answer{Status: 503}
		}
		return webhooktest.Answer{}
	})
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")), "--log-level", "debug")
	alert := traced(alerting(topics.TradeExecutions, "a", 1, 1)[0])
	alert.Value = []byte(`{"alert":true,"n":1,"k":"a","event_id":"ev-1","event_type":"order.rejected"}`)
	quiet := traced(&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("q"), Value: []byte(`{"n":2}`)})
	poison := traced(&kgo.Record{Topic: string(topics.PortfolioUpdates), Value: []byte("p01son")})
	c.Produce(quiet, alert, poison)
	posts := hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) == 2 })
	settled(t, c)
	if code := d.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}
	list := collector.Spans() // all of them: the stop has sent what waited
	if got := fmt.Sprint(tracingtest.Names(list)); len(list) != 7 {
		t.Errorf("the spans are %s: a quiet record has none", got)
	}
	outbox := topics.Outbox(c.Group, "hook")
	process := tracingtest.Find(t, list, "process trade-executions")
	send := tracingtest.Find(t, list, "send "+outbox)
	deliver := tracingtest.Find(t, list, "process "+outbox)
	first := tracingtest.Find(t, list, "attempt hook", "notifier.attempt", "1")
	second := tracingtest.Find(t, list, "attempt hook", "notifier.attempt", "2")
	above := producersSpan
	for _, s := range []tracingtest.Span{process, send, deliver, first} {
		if s.Trace != producersTrace || s.Parent != above || s.End.Before(s.Start) {
			t.Errorf("%q is in trace %s below %s from %s to %s, want trace %s below %s", s.Name, s.Trace, s.Parent, s.Start, s.End, producersTrace, above)
		}
		if s.TraceState != "vendor=x" {
			t.Errorf("%q has lost what the vendor keeps: %q", s.Name, s.TraceState)
		}
		above = s.ID
	}
	if second.Parent != deliver.ID || !process.Remote || send.Remote || !deliver.Remote || first.Remote {
		t.Errorf("the second attempt is below %s; remote parents: %v %v %v %v", second.Parent, process.Remote, send.Remote, deliver.Remote, first.Remote)
	}
	for i, s := range []tracingtest.Span{first, second} {
		if got, want := posts[i].Header.Get("traceparent"), "00-"+producersTrace+"-"+s.ID+"-01"; got != want {
			t.Errorf("request %d says %s, want %s", i, got, want)
		}
	}
	offset := fmt.Sprint(alert.Offset)
	attributes(t, process, map[string]string{
		"messaging.system": "kafka", "messaging.operation.type": "process", "messaging.destination.name": "trade-executions", "messaging.kafka.offset": offset,
		"messaging.destination.partition.id": fmt.Sprint(alert.Partition), "messaging.consumer.group.name": c.Group,
		"notifier.event": "ev-1", "notifier.event_type": "order.rejected", "notifier.alerts": "1", "notifier.outcome": "alerted", "error.type": "",
	})
	attributes(t, send, map[string]string{
		"messaging.operation.type": "send", "messaging.destination.name": outbox, "messaging.kafka.offset": "0", "notifier.channel": "hook", "notifier.rule": "every", "notifier.severity": "warning",
	})
	attributes(t, deliver, map[string]string{
		"messaging.consumer.group.name": topics.OutboxGroup(c.Group), "messaging.kafka.offset": "0", "notifier.channel": "hook", "notifier.outcome": "delivered",
		"notifier.attempts": "2", "notifier.rule": "every", "notifier.delivery": send.Attributes["notifier.delivery"], "error.type": "",
	})
	attributes(t, first, map[string]string{"notifier.channel": "hook", "notifier.result": "transient", "http.response.status_code": "503", "error.type": "unavailable"})
	attributes(t, second, map[string]string{"notifier.result": "ok", "http.response.status_code": "200", "error.type": ""})
	if first.Error != "unavailable" || second.Error != "" || deliver.Error != "" || first.Kind != "client" || send.Kind != "producer" || deliver.Kind != "consumer" {
		t.Errorf("%+v\n%+v\n%+v", first, second, deliver)
	}

	bad := tracingtest.Find(t, list, "process portfolio-updates")
	dead := tracingtest.Find(t, list, "send "+topics.DeadLetter(c.Group, topics.PortfolioUpdates))
	if bad.Parent != producersSpan || bad.Error != "not-json" || dead.Parent != bad.ID || dead.Error != "" {
		t.Errorf("%+v\n%+v", bad, dead)
	}
	entry := clitest.DeadLetters(t, c, topics.PortfolioUpdates)[0]
	if want := "00-" + producersTrace + "-" + dead.ID + "-01"; entry.Envelope.Trace != want {
		t.Errorf("the dead letter says %s, want %s", entry.Envelope.Trace, want)
	}
	if h := entry.Envelope.Source.Headers; len(h) != 3 || string(h[1].Value) != "00-"+producersTrace+"-"+producersSpan+"-01" || string(h[2].Value) != "garbage" {
		t.Errorf("the source's headers are %q", h)
	}

	// What the log says of them is found beside the trace.
	for text, s := range map[string]tracingtest.Span{`"msg":"delivered"`: deliver, `"msg":"dead letter"`: bad} {
		var line struct {
			TraceID string `json:"trace_id"`
			SpanID  string `json:"span_id"`
		}
		if err := json.Unmarshal([]byte(d.err.Wait(t, time.Second, text)), &line); err != nil || line.TraceID != producersTrace || line.SpanID != s.ID {
			t.Errorf("%s is in the log with %+v, %v; its span is %s", text, line, err, s.ID)
		}
	}
}

// TestReplayTraceLinksOriginal: hours lie between them.
func TestReplayTraceLinksOriginal(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	collector := tracingtest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL)
	hook := webhooktest.Start(t, "", refuses)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(traced(bad("a", 1, 1)[0]))
	var entries []*dlq.Entry
	testkafka.Eventually(t, 20*time.Second, "the refusal is a dead letter", func() bool {
		entries = clitest.DeadLetters(t, c, topics.TradeExecutions)
		return len(entries) == 1
	})
	hook.SetAnswer(nil)
	ask(t, c, requests(entries, nil)...)
	hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return slices.ContainsFunc(r, isReplay) })
	settled(t, c)
	d.stop()
	list := collector.Spans()
	dead := tracingtest.Find(t, list, "send "+topics.DeadLetter(c.Group, topics.TradeExecutions))
	refused := tracingtest.Find(t, list, "process "+topics.Outbox(c.Group, "hook"), "notifier.outcome", "dead_lettered")
	if dead.Trace != producersTrace || dead.Parent != refused.ID || refused.Error != "payload-refused" || refused.Attributes["notifier.reason"] != "refused" {
		t.Errorf("%+v\n%+v", dead, refused)
	}
	replay := tracingtest.Find(t, list, "process "+topics.Replay(c.Group))
	sent := tracingtest.Find(t, list, "process "+topics.Outbox(c.Group, "hook"), "notifier.outcome", "delivered")
	if replay.Trace == producersTrace || replay.Parent != "" || fmt.Sprint(replay.Links) != "["+dead.Trace+"/"+dead.ID+"]" {
		t.Errorf("the replay is %+v, want a new trace, linked to %s/%s", replay, dead.Trace, dead.ID)
	}
	if sent.Trace != replay.Trace || sent.Attributes["notifier.replay"] != "1" || sent.Attributes["notifier.delivery"] != entries[0].ID {
		t.Errorf("it is delivered by %+v", sent)
	}
}

// TestProducerTraceIsForwardedWithoutTracing: nobody's trace ends
// here because this process makes no spans.
func TestProducerTraceIsForwardedWithoutTracing(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")), "--log-level", "debug")
	c.Produce(traced(alerting(topics.TradeExecutions, "a", 1, 1)[0]), alerting(topics.TradeExecutions, "a", 2, 1)[0])
	posts := hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) == 2 })
	if h := posts[0].Header; h.Get("traceparent") != "00-"+producersTrace+"-"+producersSpan+"-01" || h.Get("tracestate") != "vendor=x" {
		t.Errorf("the receiver of a traced event is told %v", h)
	}
	if h := posts[1].Header; h.Get("traceparent") != "" {
		t.Errorf("the receiver of another is told %v", h)
	}
	d.err.Wait(t, 10*time.Second, `"msg":"delivered"`, `"trace_id":"`+producersTrace+`"`)
	if got := d.metric(`notifier_spans_total{outcome="dropped"}`); got != "0" {
		t.Errorf("the metric is %q", got)
	}
}

// TestUnreachableCollectorDelaysNothing: alerts go out, and the stop is not
// held up.
func TestUnreachableCollectorDelaysNothing(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	collector := tracingtest.Start(t)
	collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	hook := webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(alerting(topics.TradeExecutions, "", 0, 3000)...)
	got(t, hook, 3000, 60*time.Second)
	settled(t, c)
	began := time.Now()
	if code := d.stop(); code != base.ExitDone || time.Since(began) > 15*time.Second {
		t.Errorf("stopped with %d after %s", code, time.Since(began))
	}
	if n := strings.Count(d.err.String(), "spans are dropped"); n == 0 || n > 4 { // a full queue and the stop, each with its count at the end
		t.Errorf("it is logged %d times:\n%s", n, d.err)
	}
}
