package email

import (
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

var eventTime = time.Date(2026, 3, 2, 14, 31, 5, 0, time.UTC)

func message() channel.Message {
	return channel.Message{
		Delivery: "dl_abcdefghijklmnopqrstuvwxyz",
		Alert: alert.Alert{
			ID:        "al_abcdefghijklmnopqrstuvwxyz",
			Rule:      "order-rejected",
			Severity:  alert.Warning,
			Key:       []string{"ACC-1007", "INSUFFICIENT_BP"},
			Title:     alert.Text{{Text: "Rejected: "}, {Text: "NVDA", Value: true}, {Text: " buy 400"}},
			EventTime: eventTime,
			Topic:     "trade-executions",
		},
		Now: eventTime.Add(3 * time.Millisecond),
	}
}

// open returns a channel to the server at addr that does not wait long.
func open(t *testing.T, addr string, change func(*Config)) *Channel {
	t.Helper()
	config := Config{Server: addr, From: "alerts@example.com", To: []string{"desk@example.com"}, TLS: "none", HELO: "notifier.example.com"}
	if change != nil {
		change(&config)
	}
	c, err := New(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.step, c.config.AcceptTimeout = 5*time.Second, 5*time.Second
	return c
}

// hurry shortens the wait at the stage where the server is going to hang, and
// no other: "." or a command.
func (c *Channel) hurry(at string) {
	if at == "." {
		c.config.AcceptTimeout = 20 * time.Millisecond
		return
	}
	c.step = time.Second // the stages before it have as long
}

// three configures three recipients.
func three(c *Config) { c.To = []string{"a@example.com", "b@example.com", "c@example.com"} }

func cause(err error) outcome.Cause {
	if err == nil {
		return ""
	}
	return outcome.Classify(err).Cause
}

func TestMailArrivesEncryptedAndAuthenticated(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{TLS: true, Username: "notifier", Password: "hunter22"})
	c := open(t, server.Addr, func(c *Config) {
		three(c)
		c.TLS, c.CA = "mandatory", server.CA
		c.Username, c.Password = secret.New("notifier"), secret.New("hunter22")
	})
	receipt, err := c.Send(t.Context(), message())
	if err != nil {
		t.Fatal(err)
	}
	if want := "<dl_abcdefghijklmnopqrstuvwxyz@example.com>"; receipt.ID != want {
		t.Errorf("receipt %q, want the Message-ID %q", receipt.ID, want)
	}
	mails := server.Mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	m := mails[0]
	if !m.TLS || m.User != "notifier" || m.From != "alerts@example.com" || len(m.To) != 3 {
		t.Errorf("arrived as %+v", m)
	}
	if !strings.Contains(string(m.Data), "Message-ID: "+receipt.ID) {
		t.Error("the mail does not carry the receipt's Message-ID")
	}
}
