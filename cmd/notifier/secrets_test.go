package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dispatch/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/tracing/tracingtest"
)

// TestAConfiguredSecretIsNowhere: the provider repeats everything it knows, in
// its answer's body and headers, and none of it is in what we write, say or
// show, not at debug and in no span either; nor is the payload in what we say.
func TestAConfiguredSecretIsNowhere(t *testing.T) {
	const inPath, token, payload, collectors = "k3y-in-the-path", "t0ken-in-a-header", "p4yload-of-the-event", "t0ken-of-the-collector"
	signing := base64.StdEncoding.EncodeToString([]byte("s1gning-secret-of-32-bytes-long.."))
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", func(_ int, r webhooktest.Request) webhooktest.Answer {
		all := "no: " + r.Path + " " + r.Header.Get("Authorization") + " " + signing + " " + string(r.Body)
		return webhooktest.Answer{Status: 422, Body: all, Header: map[string]string{"X-Echo": r.Path + " " + token}}
	})
	t.Setenv("HOOK_URL", hook.URL+"/"+inPath)
	t.Setenv("HOOK_SECRET", "whsec_"+signing)
	t.Setenv("HOOK_TOKEN", "Bearer "+token)
	collector := tracingtest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20"+collectors)
	dir := files(t, c, "  hook: {webhook: {url: env:HOOK_URL, secret: env:HOOK_SECRET, headers: {Authorization: env:HOOK_TOKEN}}, partitions: 2}\n", fmt.Sprintf(every, "hook"))
	d := start(t, dir, "--log-level", "debug")
	r := alerting(topics.TradeExecutions, "a", 0, 1)[0]
	r.Value = []byte(`{"alert":true,"n":0,"k":"a","note":"` + payload + `"}`)
	c.Produce(r)
	var entries []*dlq.Entry
	testkafka.Eventually(t, 20*time.Second, "the refusal is a dead letter", func() bool {
		entries = deadLetters(t, c, topics.TradeExecutions)
		return len(entries) == 1
	})
	testkafka.Eventually(t, 10*time.Second, "it is said", func() bool { return strings.Contains(d.err.String(), "dead letter") })
	hook.Down() // an error with the address in it
	c.Produce(alerting(topics.TradeExecutions, "a", 1, 1)...)
	testkafka.Eventually(t, 20*time.Second, "the channel is down", func() bool { _, ok, _ := d.component("channel hook"); return !ok })

	_, metrics := d.get("/metrics")
	_, readyz := d.get("/readyz")
	_, index := d.get("/")
	shown := map[string]string{"the log": d.err.String(), "the metrics": metrics, "/readyz": readyz, "/": index}
	for _, args := range [][]string{{"config", "show"}, {"dlq", "list"}, {"dlq", "list", "-o", "json"}, {"dlq", "stats"}, {"dlq", "show", entries[0].ID}, {"channels", "list"}, {"channels", "list", "-o", "json"}} {
		out, errs := newLines(), newLines()
		if code := run(t.Context(), append(args, "-c", filepath.Join(dir, "notifier.yaml")), stdio{strings.NewReader(""), out, errs}); code != exitDone {
			t.Errorf("%v ends with %d: %s", args, code, errs)
		}
		shown[strings.Join(args, " ")] = out.String() + errs.String()
	}
	letters := c.Client(kgo.ConsumeTopics(topics.DeadLetter(c.Group, topics.TradeExecutions)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, h := range letters.PollFetches(ctx).Records()[0].Headers {
		shown["the dead letter's header "+h.Key] += string(h.Value)
	}
	collector.Wait(t, 20*time.Second, func(list []tracingtest.Span) bool { return len(list) >= 6 })
	collector.Refuse(http.StatusUnauthorized) // and repeats the header
	d.stop()
	shown["the log"] = d.err.String()
	spans := collector.Spans()
	for _, s := range spans {
		shown["the spans"] += fmt.Sprintln(s.String, s.Attributes, s.Resource)
	}
	if len(spans) < 4 || !strings.Contains(shown["the log"], "it answers 401") || len(collector.Headers()) == 0 || collector.Headers()[0].Get("Authorization") != "Bearer "+collectors {
		t.Errorf("the collector has got %v, with %v:\n%s", tracingtest.Names(spans), collector.Headers(), d.err)
	}
	for where, text := range shown {
		for _, secret := range []string{inPath, token, signing, collectors} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s:\n%s", where, secret, text)
			}
		}
		if strings.Contains(text, payload) && !strings.HasPrefix(where, "dlq show") {
			t.Errorf("%s shows the payload:\n%s", where, text)
		}
	}
	if text := shown["the log"]; !strings.Contains(text, "422") {
		t.Errorf("the log does not say what the provider answered:\n%s", text)
	}
}
