package email

import (
	"sync/atomic"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/secret"
)

func TestVerifyChecksEachRecipient(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{TLS: true, Username: "alerts", Password: "hunter2", Rcpt: func(to string) error {
		switch to {
		case "a@example.com":
			return smtptest.Reply(550, "5.1.1", "a@example.com: user unknown")
		case "b@example.com":
			return smtptest.Reply(450, "4.7.1", "Greylisted")
		}
		return nil
	}})
	c := open(t, server.Addr, func(c *Config) {
		three(c)
		c.TLS, c.CA, c.Username, c.Password = tlsMandatory, server.CA, secret.New("alerts"), secret.New("hunter2")
	})
	channeltest.AssertLines(t, channeltest.Verify(t, c, "hunter2"),
		"ok server: "+server.Addr+" is ready after", "warning encryption: TLS 1.3, certificate until", "ok sender alerts@example.com: accepted",
		"failed recipient a@example.com: RCPT 550 5.1.1: [address]: user unknown → correct the recipient's address", "warning recipient b@example.com: RCPT 450 4.7.1: Greylisted (greylisted)",
		"ok recipient c@example.com: accepted")
	if n := len(server.Mails()); n != 0 {
		t.Errorf("%d mails were sent", n)
	}
	if _, err := c.Send(t.Context(), message()); err != nil { // the server is as it was
		t.Error(err)
	}
}

func TestVerifyReportsFailedStep(t *testing.T) {
	for name, c := range map[string]struct {
		server smtptest.Config
		change func(*Config)
		want   []string
	}{
		"a wrong password": {
			smtptest.Config{Username: "alerts", Password: "right"},
			func(c *Config) {
				c.Auth, c.Username, c.Password = "plain", secret.New("alerts"), secret.New("wr0ng-one")
			},
			[]string{"failed server: AUTH 535 5.7.8: Authentication failed → check the token or password"},
		},
		"no STARTTLS": {smtptest.Config{}, func(c *Config) { c.TLS = tlsMandatory }, []string{"failed server: STARTTLS: the server does not offer STARTTLS → correct"}},
		"a refused sender": {
			smtptest.Config{Mail: func(string) error { return smtptest.Reply(553, "5.7.1", "not yours") }},
			nil,
			[]string{"ok server", "warning encryption: none", "failed sender alerts@example.com: MAIL 553 5.7.1"},
		},
		"a server that hangs up": {
			smtptest.Config{Rcpt: func(string) error { return smtptest.ErrDrop }},
			nil,
			[]string{"ok server", "warning encryption", "ok sender", "failed recipient desk@example.com: RCPT: connection lost", "skipped dialogue: the remaining steps"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := smtptest.Start(t, c.server)
			channeltest.AssertLines(t, channeltest.Verify(t, open(t, server.Addr, c.change), "wr0ng-one"), c.want...)
		})
	}
	closed := smtptest.Raw(t, func(string) string { return smtptest.DropNow })
	channeltest.AssertLines(t, channeltest.Verify(t, open(t, closed, nil)), "failed server: greeting: connection lost")
}

func TestVerifySendsNoData(t *testing.T) {
	var commands atomic.Value
	commands.Store("")
	addr := smtptest.Raw(t, func(line string) string {
		commands.Store(commands.Load().(string) + line + "\n")
		return smtptest.Default(line)
	})
	c := open(t, addr, three)
	channeltest.Verify(t, c)
	const want = "\nEHLO notifier.example.com\nMAIL FROM:<alerts@example.com>\nRCPT TO:<a@example.com>\nRCPT TO:<b@example.com>\nRCPT TO:<c@example.com>\nRSET\n"
	if got := commands.Load().(string); got != want && got != want+"QUIT\n" {
		t.Errorf("commands\n%q\nwant\n%q", got, want)
	}
}
