package email

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
)

func TestUnqualifiedNameInEHLOIsReported(t *testing.T) {
	for _, test := range []struct{ helo, want string }{
		{"notifier.example.com", ""},
		{"notifier.börse.example", ""},
		{"'[192.0.2.7]'", ""},
		{"'[IPv6:2001:db8::7]'", ""},
		{"notifier-1", `helo "notifier-1" is not fully qualified`},
		{"notifier.", `helo "notifier." is not fully qualified`},
		{"localhost.localdomain", `helo "localhost.localdomain" is not fully qualified`},
		{"localhost", `helo "localhost" is not fully qualified`},
		{"192.0.2.7", `helo "192.0.2.7" is an address without brackets`},
		{"notifier_1.example.com", `helo "notifier_1.example.com" has an underscore`},
	} {
		_, faults := decode(t, t.TempDir(), minimal+"helo: "+test.helo+"\n")
		if got := strings.Join(faults, "; "); test.want == "" && got != "" || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.helo, got, test.want)
		}
	}
	var d dialogue
	c := open(t, d.start(t), func(c *Config) { c.HELO = "notifier-1" })
	channeltest.AssertLines(t, channeltest.Verify(t, c), "ok server", "warning encryption",
		`warning helo: "notifier-1" is not fully qualified: many servers refuse it → set helo to the fully qualified name`, "ok sender", "ok recipient")
}

func TestDefaultNameInEHLOIsQualified(t *testing.T) {
	name := make(chan string, 1)
	addr := smtptest.Raw(t, func(line string) string {
		if verb, rest, _ := strings.Cut(line, " "); verb == "EHLO" {
			name <- rest
		}
		return smtptest.Default(line)
	})
	c := open(t, addr, func(c *Config) { c.HELO = "" })
	if _, err := c.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	got := <-name
	if unqualified(got) != "" {
		t.Errorf("EHLO %s: %s", got, unqualified(got))
	}
	shown := strings.Contains(channeltest.Verify(t, c), "ok helo: "+got+", since this host's name is not fully qualified")
	if literal := strings.HasPrefix(got, "["); shown != literal {
		t.Errorf("EHLO %s: shown %v, want %v", got, shown, literal)
	}
}
