package webhook_test

import (
	"encoding/json"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/secret"
)

func TestDigestIsAnObjectOfItsOwn(t *testing.T) {
	s := webhooktest.Start(t, "a-secret-of-ours", nil)
	c := newChannel(t, webhook.Config{URL: secret.New(s.URL + "/hook"), Secret: []secret.String{secret.New("raw:a-secret-of-ours")}})
	m := channeltest.Digest(4800)
	m.Now = message().Now
	if err := send(t, c, m); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Alert struct {
			Severity string
			Count    int
			Digest   struct {
				Group               []string
				Groups, Alerts, New int
				First, Last         string
				Items               []struct{ Title, Severity string }
			}
		}
	}
	if err := json.Unmarshal(s.Requests()[0].Body, &doc); err != nil {
		t.Fatal(err)
	}
	d := doc.Alert.Digest
	if doc.Alert.Severity != "critical" || doc.Alert.Count != 4799 || d.Alerts != 4800 || d.New != 4799 || d.Groups != 1 || d.Group[0] != "<XNAS> & *co*" ||
		d.First != "2026-11-23T14:31:05Z" || d.Last != "2026-11-23T14:32:05Z" || len(d.Items) != 20 || d.Items[0].Title != "Rejected: SYM00 <buy> & 100" {
		t.Errorf("%+v", doc.Alert)
	}
}
