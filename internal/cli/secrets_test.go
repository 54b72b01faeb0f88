package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/channel/pagerduty/pagerdutytest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/obs/tracing/tracingtest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestConfiguredSecretsAreNotShown: the provider repeats everything it knows, in
// its answer's body and headers, and none of it is in what we write, say or
// show, not at debug and in no span either; nor is the payload in what we say.
func TestConfiguredSecretsAreNotShown(t *testing.T) {
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
		entries = clitest.DeadLetters(t, c, topics.TradeExecutions)
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
		out, errs := clitest.NewLines(), clitest.NewLines()
		if code := Run(t.Context(), append(args, "-c", filepath.Join(dir, "notifier.yaml")), base.Streams{In: strings.NewReader(""), Out: out, Err: errs}); code != base.ExitDone {
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
	if len(spans) < 4 || !strings.Contains(shown["the log"], "replies 401") || len(collector.Headers()) == 0 || collector.Headers()[0].Get("Authorization") != "Bearer "+collectors {
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

// TestEchoedSecretsAreNotShown: whatever stands between us and the providers of
// all kinds repeats the whole request in its error, in each spelling. None of the
// secrets is in what the daemon logs, serves, counts, dead-letters, or what a
// command prints.
func TestEchoedSecretsAreNotShown(t *testing.T) {
	const pathKey, header, password = "k3y-in-the-path", `t0ken-"of"<x>&+`, `hunter22-p@ss/w<o>rd&"+`
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}, {Name: "chat", Partitions: 3}, {Name: "mail", Partitions: 1}, {Name: "bot", Partitions: 3}, {Name: "oncall", Partitions: 3}})
	var requests [5]atomic.Int64
	spell := func(channel int, text string) string {
		n := int(requests[channel].Add(1) - 1)
		return channeltest.Encodings[n%len(channeltest.Encodings)].Encode(text)
	}
	hook := webhooktest.Start(t, "", func(_ int, r webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: 422, Body: spell(0, r.Header.Get("Authorization")+" "+r.Path)}
	})
	chat := slacktest.Start(t, func(int) slacktest.Answer {
		return slacktest.Answer{ByRequest: func(r *http.Request, body string) slacktest.Answer {
			return slacktest.Answer{Error: spell(1, channeltest.SecretsFirst(r, body))}
		}}
	})
	mail := smtptest.Raw(t, func(line string) string {
		switch {
		case strings.HasPrefix(line, "EHLO"):
			return "250-raw\n250 AUTH PLAIN"
		case strings.HasPrefix(line, "AUTH"):
			return "535 5.7.8 " + strings.ReplaceAll(spell(2, line+" desk:"+password), "\n", " ")
		}
		return smtptest.Default(line)
	})
	bot := templatedtest.Start(t, "telegram")
	bot.SetAnswer(func(r templatedtest.Request) *templatedtest.Answer {
		text, _ := json.Marshal(map[string]any{"ok": false, "error_code": 401, "description": spell(3, r.URI)})
		return &templatedtest.Answer{Status: 401, Body: string(text)}
	})
	pager := pagerdutytest.Start(t)
	pager.SetAnswer(func([]byte) *pagerdutytest.Answer {
		text, _ := json.Marshal(map[string]any{"status": "invalid event", "errors": []string{"the routing key " + spell(4, pagerdutytest.Key)}})
		return &pagerdutytest.Answer{Status: 400, Body: string(text)}
	})
	t.Setenv("HOOK_URL", hook.URL+"/"+pathKey)
	t.Setenv("HOOK_TOKEN", "Bearer "+header)
	t.Setenv("ROUTING_KEY", pagerdutytest.Key)
	t.Setenv("SLACK_TOKEN", slacktest.Token)
	t.Setenv("SMTP_PASSWORD", password)
	dir := files(t, c, fmt.Sprintf(`
  hook: {webhook: {url: env:HOOK_URL, headers: {Authorization: env:HOOK_TOKEN}}, partitions: 2}
  chat: {slack: {token: env:SLACK_TOKEN, channel: %s, api: %q}, pace: {rate: 1000/s}}
  mail: {email: {server: %q, tls: none, from: a@example.com, to: [b@example.com], username: desk, password: env:SMTP_PASSWORD}}
  bot: {http: {%s}, pace: {rate: 1000/s}}
  oncall: {pagerduty: {routing_key: env:ROUTING_KEY, url: %q}}`,
		slacktest.Channel, chat.API(), mail, bot.Config("telegram"), pager.URL), fmt.Sprintf(every, "hook, chat, mail, bot, oncall"))
	d := start(t, dir, "--log-level", "debug")
	const messages = 15 // fewer than would suspend the channel
	c.Produce(alerting(topics.TradeExecutions, "a", 0, messages)...)
	var entries []*dlq.Entry
	testkafka.Eventually(t, 30*time.Second, "the refusals are dead letters, and all providers were asked", func() bool {
		entries = clitest.DeadLetters(t, c, topics.TradeExecutions)
		return len(entries) >= messages && requests[1].Load() >= 4 && requests[2].Load() >= 1 && requests[3].Load() >= 1 && requests[4].Load() >= 1
	})
	for _, name := range []string{"channel chat", "channel mail", "channel bot", "channel oncall"} {
		testkafka.Eventually(t, 20*time.Second, name+" is down, and says why", func() bool { _, ok, cause := d.component(name); return !ok && cause != "" })
	}
	shown := make(map[string]string)
	for _, path := range []string{"/metrics", "/readyz", "/"} {
		_, shown[path] = d.get(path)
	}
	for _, args := range [][]string{{"dlq", "list", "-o", "json"}, {"dlq", "show", entries[0].ID}, {"channels", "list"}, {"channels", "test", "--all"}, {"channels", "test", "--all", "-o", "json"}, {"channels", "test", "--no-send", "--all"}, {"doctor"}} {
		out, errs := clitest.NewLines(), clitest.NewLines()
		Run(t.Context(), append(args, "-c", filepath.Join(dir, "notifier.yaml")), base.Streams{In: strings.NewReader(""), Out: out, Err: errs})
		shown[strings.Join(args, " ")] = out.String() + errs.String()
	}
	for _, e := range entries {
		shown["the dead letters"] += e.Detail + "\n"
	}
	d.stop()
	shown["the log"] = d.err.String()
	secrets := append(templatedtest.Secrets("telegram"), pagerdutytest.Key, slacktest.Token, pathKey, header, password)
	for where, text := range shown {
		if written, leaks := channeltest.FindSecret(text, secrets...); leaks {
			t.Errorf("%s shows %s:\n%s", where, written, text)
		}
	}
	if !strings.Contains(shown["the dead letters"], "returned 422: ") || !strings.Contains(shown["/readyz"], "Slack returned an unknown error") {
		t.Errorf("it does not say what they answered:\n%s%s", shown["the dead letters"], shown["/readyz"])
	}
}
