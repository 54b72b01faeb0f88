package webhook_test

import (
	"encoding/json"
	"testing"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/secret"
)

func TestStateAndItsBeginAreMembers(t *testing.T) {
	s := webhooktest.Start(t, "a-secret-of-ours", nil)
	c := newChannel(t, webhook.Config{URL: secret.New(s.URL + "/hook"), Secret: []secret.String{secret.New("raw:a-secret-of-ours")}})
	digest := channeltest.Digest(3)
	digest.Digest.Items[0].State = alert.Resolved
	for i, test := range []struct {
		m    channel.Message
		want string
	}{
		{channeltest.Message(), `{"state":"firing"}`},
		{channeltest.Resolved(), `{"state":"resolved","since":"2026-11-23T12:26:05Z"}`},
		{channeltest.Reminder(), `{"state":"firing","since":"2026-11-23T14:31:05Z","reminder":true}`},
		{channeltest.Instead(), `{"state":"firing","instead":{"channel":"desk-slack","cause":"suspended: invalid_auth"}}`},
		{digest, `{"state":"firing","digest":{"items":[{"state":"resolved"},{"state":"firing"}]}}`},
	} {
		test.m.Now = message().Now // the signature has a time
		if err := send(t, c, test.m); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Alert struct {
				State    string          `json:"state"`
				Since    string          `json:"since,omitempty"`
				Reminder bool            `json:"reminder,omitempty"`
				Instead  json.RawMessage `json:"instead,omitempty"`
				Digest   *struct {
					Items []struct {
						State string `json:"state"`
					} `json:"items"`
				} `json:"digest,omitempty"`
			}
		}
		if err := json.Unmarshal(s.Requests()[i].Body, &doc); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(doc.Alert); string(got) != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}
