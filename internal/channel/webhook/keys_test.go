package webhook_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

func secrets(values ...string) (list []secret.String) {
	for _, v := range values {
		list = append(list, secret.New(v))
	}
	return list
}

// TestReceiversVerifySecretAsItIsWritten: a receiver gives the same text to the
// official library, which takes it for base64, with or without whsec_.
func TestReceiversVerifySecretAsItIsWritten(t *testing.T) {
	key := []byte("32 bytes of a key, or nearly so.x")
	padded := base64.StdEncoding.EncodeToString(key[:32])
	for name, written := range map[string]string{
		"whsec_": "whsec_" + padded, "no prefix": padded,
		"no padding": "whsec_" + strings.TrimRight(padded, "="), "neither": strings.TrimRight(padded, "="),
	} {
		t.Run(name, func(t *testing.T) {
			s := webhooktest.Start(t, "", nil)
			if err := send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL), Secret: secrets(written)}), message()); err != nil {
				t.Fatal(err)
			}
			verifier, err := standard.NewWebhook(padded)
			if err != nil {
				t.Fatal(err)
			}
			if r := s.Requests()[0]; verifier.Verify(r.Body, r.Header) != nil {
				t.Error("the receiver does not verify it")
			}
		})
	}
}

func TestTwoSecretsSignDuringRotation(t *testing.T) {
	const before, after = "the-secret-before-rotation", "the-secret-after-rotation"
	for _, known := range []string{before, after} {
		s := webhooktest.Start(t, known, nil) // which verifies each request
		if err := send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL), Secret: secrets("raw:"+after, "raw:"+before)}), message()); err != nil {
			t.Error(err)
		}
		if n := len(strings.Fields(s.Requests()[0].Header.Get("webhook-signature"))); n != 2 {
			t.Errorf("%d signatures", n)
		}
	}
}

func TestTooLargeEventIsLeftOut(t *testing.T) {
	const most = 64 << 10
	limited := func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
			if len(body) > most {
				return webhooktest.Answer{Status: 413}
			}
			return webhooktest.Answer{}
		}}
	}
	s := webhooktest.Start(t, "a-secret-for-both-of-them", limited)
	c := newChannel(t, webhook.Config{URL: secret.New(s.URL), Secret: secrets("raw:a-secret-for-both-of-them")})
	m := message()
	m.Event = fmt.Appendf(nil, `{"text":"%s"}`, bytes.Repeat([]byte("x"), most))
	if err := send(t, c, m); err != nil {
		t.Fatal(err)
	}
	r := s.Requests()
	if len(r) != 2 || !bytes.Contains(r[1].Body, []byte(`"event_omitted":true`)) || !bytes.HasSuffix(r[1].Body, []byte(`"event":null}`)) || r[0].Header.Get("webhook-id") != r[1].Header.Get("webhook-id") {
		t.Errorf("%d requests, the last %s", len(r), r[len(r)-1].Body)
	}
	m.Event = nil
	s.SetAnswer(func(int, webhooktest.Request) webhooktest.Answer { return webhooktest.Answer{Status: 413} })
	channeltest.AssertCause(t, send(t, c, m), outcome.PayloadTooLarge)
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d requests: without an event there is nothing to leave out", n)
	}
}
