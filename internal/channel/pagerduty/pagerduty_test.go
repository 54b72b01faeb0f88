package pagerduty_test

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/pagerduty"
	"github.com/algotrade/notifier/internal/channel/pagerduty/pagerdutytest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

var update = flag.Bool("update", false, "write the golden files")

func newChannel(t *testing.T, url string) *pagerduty.Channel {
	t.Helper()
	c, err := pagerduty.New(pagerduty.Config{RoutingKey: secret.New(pagerdutytest.Key), URL: url}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t *testing.T, c channel.Channel, m channel.Message) (channel.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return c.Send(ctx, m)
}

// accepted sends messages that PagerDuty has to accept, and returns their events.
func accepted(t *testing.T, messages ...channel.Message) []pagerdutytest.Event {
	t.Helper()
	s := pagerdutytest.Start(t)
	c := newChannel(t, s.URL)
	for _, m := range messages {
		if _, err := send(t, c, m); err != nil {
			t.Fatal(err)
		}
	}
	return s.Events()
}

func TestAlertTriggersIncidentOfItsKey(t *testing.T) {
	s := pagerdutytest.Start(t)
	receipt, err := send(t, newChannel(t, s.URL), channeltest.Message())
	if err != nil || receipt.ID != "order-rejected/ACC-1042/HALTED" {
		t.Fatal(receipt, err)
	}
	channeltest.GoldenJSON(t, *update, "event.golden", s.Events()[0].Body)
}

func TestSameAlertKeyHasSameDedupKey(t *testing.T) {
	m := channeltest.Message()
	again, other, unkeyed, sameRule := m, m, m, m
	again.Alert.ID = "al_another"
	other.Alert.Key = []string{"ACC-1042/HALTED", ""}
	unkeyed.Alert.Key = nil
	sameRule.Alert.Key, sameRule.Alert.ID = nil, "al_another"
	events := accepted(t, m, again, other, unkeyed, sameRule)
	key := func(i int) string { return events[i].DedupKey }
	if key(0) != key(1) || key(0) == key(2) || key(3) != unkeyed.Alert.ID || key(4) != "al_another" {
		t.Errorf("the dedup keys are %q %q %q %q %q", key(0), key(1), key(2), key(3), key(4))
	}
}

func TestLongDedupKeysStayDistinct(t *testing.T) {
	m, other, hidden := channeltest.Message(), channeltest.Message(), channeltest.Message()
	m.Alert.Key = []string{strings.Repeat("ключ", 100) + "a"}
	other.Alert.Key = []string{strings.Repeat("ключ", 100) + "b"}
	hidden.Alert.Key = []string{"a\u202eb"}
	events := accepted(t, m, other, hidden)
	if a, b := events[0].DedupKey, events[1].DedupKey; a == b || len(a) > 255 || !utf8.ValidString(a) {
		t.Errorf("%q and %q", a, b)
	}
	channeltest.AssertEscaped(t, "the dedup key", events[2].DedupKey)
}

func TestHostileValuesAreShown(t *testing.T) {
	m := channeltest.Hostile()
	e := accepted(t, m)[0]
	channeltest.AssertEscaped(t, "the summary", e.Payload.Summary)
	channeltest.AssertEscaped(t, "the source", e.Payload.Source)
	for name, value := range e.Payload.Details {
		if text, ok := value.(string); ok && (alert.Visible(name) != name || alert.VisibleLines(text) != text) {
			t.Errorf("%q: %q", name, text)
		}
	}
	if e.Payload.Severity != "warning" || len(e.Links) != 0 {
		t.Errorf("severity %s, links %v", e.Payload.Severity, e.Links)
	}
}

func TestLargeAlertIsAccepted(t *testing.T) {
	m := channeltest.Message()
	m.Alert.Title = alert.Text{{Text: strings.Repeat("ü", 5000), Value: true}}
	m.Digest = &channel.Digest{Group: []string{"HALTED"}, Groups: 1, Alerts: 500}
	for range 400 {
		item := m.Alert
		item.Title = alert.Text{{Text: strings.Repeat("<", 2000), Value: true}}
		m.Digest.Items = append(m.Digest.Items, item)
	}
	e := accepted(t, m)[0]
	if e.Payload.Details["notes"] != "the details are too large for PagerDuty" || !strings.HasPrefix(e.Payload.Summary, "order-rejected HALTED: 500 alerts since") {
		t.Errorf("%s %v", e.Payload.Summary, e.Payload.Details)
	}
}

func TestDigestHasRowPerItem(t *testing.T) {
	s := pagerdutytest.Start(t)
	if _, err := send(t, newChannel(t, s.URL), channeltest.GroupDigest()); err != nil {
		t.Fatal(err)
	}
	channeltest.GoldenJSON(t, *update, "digest.golden", s.Events()[0].Body)
}

func TestDigestJoinsIncidentOfItsGroup(t *testing.T) {
	m, digest, several := channeltest.Message(), channeltest.GroupDigest(), channeltest.GroupDigest()
	digest.Digest.Group = m.Alert.Key
	several.Digest.Group, several.Digest.Groups = nil, 3
	events := accepted(t, m, digest, several)
	if events[0].DedupKey != events[1].DedupKey || events[2].DedupKey != several.Delivery {
		t.Errorf("the dedup keys are %q %q %q", events[0].DedupKey, events[1].DedupKey, events[2].DedupKey)
	}
}

func TestTestIncidentIsResolved(t *testing.T) {
	s := pagerdutytest.Start(t)
	c := newChannel(t, s.URL)
	m := channeltest.Message()
	m.Test = true
	receipt, err := send(t, c, m)
	if err != nil || !strings.HasSuffix(receipt.Answer, "the test's incident is resolved") || receipt.ID != m.Delivery {
		t.Fatal(receipt, err)
	}
	if n, open := len(s.Events()), s.Open(); n != 2 || len(open) != 0 {
		t.Errorf("%d events, open are %v", n, open)
	}
	s.SetAnswer(func(body []byte) *pagerdutytest.Answer {
		if strings.Contains(string(body), `"resolve"`) {
			return &pagerdutytest.Answer{Status: 500}
		}
		return nil
	})
	receipt, err = send(t, c, m)
	if err != nil || !strings.Contains(receipt.Answer, "resolve the test's incident yourself: PagerDuty returned 500") {
		t.Error(receipt, err)
	}
}

func TestEveryAnswerHasItsMeaning(t *testing.T) {
	for name, c := range map[string]struct {
		answer pagerdutytest.Answer
		cause  outcome.Cause // empty: accepted
		says   string
	}{
		"202":                {pagerdutytest.Answer{Status: 202, Body: `{"status":"success"}`}, "", ""},
		"202 without a body": {pagerdutytest.Answer{Status: 202}, "", ""},
		"202 with an error":  {pagerdutytest.Answer{Status: 202, Body: `{"status":"invalid event"}`}, outcome.Misconfigured, "none of PagerDuty's"},
		"200 of a proxy":     {pagerdutytest.Answer{Status: 200, Body: "<html>log in"}, outcome.Misconfigured, "none of PagerDuty's"},
		"400":                {pagerdutytest.Answer{Status: 400, Body: `{"status":"invalid event","message":"Event object is invalid","errors":["'payload.summary' is missing or blank"]}`}, outcome.PayloadRefused, "invalid event: 'payload.summary' is missing"},
		"400 of the key":     {pagerdutytest.Answer{Status: 400, Body: `{"status":"invalid event","message":"Event object is invalid","errors":["Invalid routing key"]}`}, outcome.Credentials, "Invalid routing key"},
		"400 of a firewall":  {pagerdutytest.Answer{Status: 400, Body: "<html>blocked"}, outcome.Unknown, "does not come from PagerDuty"},
		"302":                {pagerdutytest.Answer{Status: 302, Header: map[string]string{"Location": "/x"}}, outcome.Destination, "302"},
		"403":                {pagerdutytest.Answer{Status: 403, Body: `{"status":"forbidden"}`}, outcome.Credentials, "forbidden"},
		"404":                {pagerdutytest.Answer{Status: 404}, outcome.Destination, "404"},
		"413":                {pagerdutytest.Answer{Status: 413}, outcome.PayloadTooLarge, "413"},
		"429":                {pagerdutytest.Answer{Status: 429, Body: `{"status":"throttle exceeded","message":"Requests for this service are arriving too quickly."}`, Header: map[string]string{"Retry-After": "7"}}, outcome.RateLimited, "throttle exceeded"},
		"500":                {pagerdutytest.Answer{Status: 500, Body: `{"status":"Unrecognized object"}`}, outcome.Unavailable, "500"},
		"502":                {pagerdutytest.Answer{Status: 502, Body: "<html>bad gateway"}, outcome.Unavailable, "502"},
		"503 with a time":    {pagerdutytest.Answer{Status: 503, Header: map[string]string{"Retry-After": "7"}}, outcome.RateLimited, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			s := pagerdutytest.Start(t)
			s.SetAnswer(func([]byte) *pagerdutytest.Answer { return &c.answer })
			_, err := send(t, newChannel(t, s.URL), channeltest.Message())
			if c.cause == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := channeltest.AssertCause(t, err, c.cause)
			if !strings.Contains(e.Detail, c.says) {
				t.Errorf("it says %q", e.Detail)
			}
			if after := c.answer.Header["Retry-After"]; after != "" && e.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After is %s", e.RetryAfter)
			}
			channeltest.AssertLeaksNoSecret(t, err, pagerdutytest.Key)
		})
	}
}

func TestLostResponseIsNotAmbiguous(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	_, err := send(t, newChannel(t, s.URL), channeltest.Message())
	channeltest.AssertCause(t, err, outcome.Unavailable)
}

func TestVerifySendsNoEvent(t *testing.T) {
	s := pagerdutytest.Start(t)
	got := channeltest.Verify(t, newChannel(t, s.URL), pagerdutytest.Key)
	channeltest.AssertLines(t, got, "ok connection: connected to 127.0.0.1", "warning encryption: http", "ok routing key", "skipped PagerDuty")
	if s.Requests() > 0 {
		t.Error("a request was made")
	}
}

func TestInvalidConfigurationIsRefused(t *testing.T) {
	for _, c := range []pagerduty.Config{
		{},
		{RoutingKey: secret.New("too-short")},
		{RoutingKey: secret.New(pagerdutytest.Key), URL: "http://events.example.com/"},
		{RoutingKey: secret.New(pagerdutytest.Key), URL: "events.example.com"},
	} {
		if _, err := pagerduty.New(c, 1, nil); err == nil || strings.Contains(err.Error(), "too-short") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestResolvedAlertEndsIncidentOfItsKey(t *testing.T) {
	s := pagerdutytest.Start(t)
	c := newChannel(t, s.URL)
	for _, m := range []channel.Message{channeltest.Message(), channeltest.Reminder(), channeltest.Resolved()} {
		if m.Resolved() && len(s.Open()) != 1 {
			t.Fatalf("open before: %v", s.Open())
		}
		if _, err := send(t, c, m); err != nil {
			t.Fatal(err)
		}
	}
	events := s.Events()
	if last := events[len(events)-1]; len(events) != 3 || len(s.Open()) != 0 || last.Action != "resolve" || last.Payload.Summary != "" {
		t.Errorf("open: %v, last: %+v", s.Open(), last)
	}
	if details := events[1].Payload.Details; events[1].Action != "trigger" || details["notes"] != "firing for 2 h 5 m" {
		t.Errorf("the reminder is %+v", events[1])
	}
}

// Without a key every alert is its own incident: the receipt of the first message tells
// which one is over.
func TestResolvedAlertWithoutKeyEndsItsIncident(t *testing.T) {
	s := pagerdutytest.Start(t)
	c := newChannel(t, s.URL)
	m := channeltest.Message()
	m.Alert.Key = nil
	receipt, err := send(t, c, m)
	if err != nil {
		t.Fatal(err)
	}
	over := channeltest.Resolved()
	over.Alert.Key, over.Alert.ID, over.Opened = nil, "al_another", receipt.ID
	if _, err := send(t, c, over); err != nil || len(s.Open()) != 0 {
		t.Errorf("%v, open: %v", err, s.Open())
	}
}

func TestFallbackNamesFailingChannel(t *testing.T) {
	if got := accepted(t, channeltest.Instead())[0].Payload.Details["notes"]; got != "4 m 10 s late, instead of desk-slack (suspended: invalid_auth)" {
		t.Errorf("the notes are %v", got)
	}
}
