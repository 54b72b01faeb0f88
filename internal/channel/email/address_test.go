package email

import (
	"bytes"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
)

// dialogue is a server that records the envelopes and mails it accepts.
type dialogue struct {
	mu       sync.Mutex
	commands []string
}

// start runs the server and returns its address. Each line of extensions is
// announced.
func (d *dialogue) start(t *testing.T, extensions ...string) string {
	return smtptest.Raw(t, func(line string) string {
		d.mu.Lock()
		defer d.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		switch verb {
		case "EHLO":
			return "250-" + strings.Join(append([]string{"raw"}, extensions...), "\n250-") + "\n250 HELP"
		case "MAIL", "RCPT", ".":
			d.commands = append(d.commands, line)
		}
		return smtptest.Default(line)
	})
}

func (d *dialogue) seen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.commands)
}

func to(addresses ...string) func(*Config) { return func(c *Config) { c.To = addresses } }

func TestDomainsAreSentInASCII(t *testing.T) {
	var d dialogue
	c := open(t, d.start(t, "8BITMIME", "SMTPUTF8"), func(c *Config) {
		c.From, c.To, c.HELO = "alerts@börse.example", []string{"desk@example.com", "Desk <desk@Bücher.example>"}, "host.börse.example"
	})
	receipt, err := c.Send(t.Context(), message())
	if err != nil || len(receipt.Refused)+len(receipt.Deferred) > 0 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	want := []string{"MAIL FROM:<alerts@xn--brse-5qa.example> BODY=8BITMIME", "RCPT TO:<desk@example.com>", "RCPT TO:<desk@xn--bcher-kva.example>", "."}
	if got := d.seen(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	m := message()
	m.Recipients = []string{"desk@bücher.example"} // as written before
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Errorf("a recipient written in another way: %v", err)
	}
}

func TestNonASCIILocalPartNeedsSMTPUTF8(t *testing.T) {
	const international, german = "pelé@example.com", "jürgen@bücher.example"
	for name, test := range map[string]struct {
		to       []string
		offered  []string
		accepted []string
		refused  int
		want     outcome.Cause
	}{
		"offered":               {[]string{"desk@example.com", international, german}, []string{"smtputf8"}, []string{"desk@example.com", international, "jürgen@xn--bcher-kva.example"}, 0, ""},
		"not offered":           {[]string{international, "desk@example.com"}, nil, []string{"desk@example.com"}, 1, ""},
		"no other":              {[]string{international, german}, nil, nil, 2, outcome.Destination},
		"no other, but offered": {[]string{international}, []string{"SMTPUTF8"}, []string{international}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var d dialogue
			c := open(t, d.start(t, test.offered...), to(test.to...))
			receipt, err := c.Send(t.Context(), message())
			if cause(err) != test.want || len(receipt.Refused) != test.refused || len(receipt.Deferred) > 0 {
				t.Errorf("%+v, %v", receipt, err)
			}
			for _, r := range receipt.Refused {
				if cause(r.Err) != outcome.RecipientRefused || !strings.Contains(r.Err.Error(), "SMTPUTF8") {
					t.Errorf("%s: %v", r.Recipient, r.Err)
				}
			}
			var accepted []string
			for _, command := range d.seen() {
				if address, ok := strings.CutPrefix(command, "RCPT TO:<"); ok {
					accepted = append(accepted, strings.TrimSuffix(address, ">"))
				}
				if utf8 := strings.HasSuffix(command, " SMTPUTF8"); strings.HasPrefix(command, "MAIL") && utf8 != (len(accepted) > 0 || !ascii(test.to[0]) && test.offered != nil) {
					t.Errorf("%s after %q", command, accepted)
				}
			}
			if !slices.Equal(accepted, test.accepted) {
				t.Errorf("sent to %q, want %q", accepted, test.accepted)
			}
		})
	}
}

func TestNonASCIISenderNeedsSMTPUTF8(t *testing.T) {
	var d dialogue
	c := open(t, d.start(t), func(c *Config) { c.From = "börse@example.com" })
	_, err := c.Send(t.Context(), message())
	if e := outcome.Classify(err); e.Cause != outcome.Misconfigured || !strings.Contains(e.Detail, "SMTPUTF8") || !strings.Contains(e.Do, "from") {
		t.Errorf("%v, do %q", e, e.Do)
	}
	if got := d.seen(); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
}

func TestMailsInASCIINameNoOtherAddress(t *testing.T) {
	c := open(t, "127.0.0.1:25", to("desk@example.com", "pelé@example.com", "risk@bücher.example"))
	mails, err := c.mails(message(), []string{"desk@example.com", "pelé@example.com", "risk@xn--bcher-kva.example"})
	if err != nil || len(mails) != 2 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	for i, want := range []string{"[<desk@example.com> <risk@xn--bcher-kva.example>]", "[<desk@example.com> <pelé@example.com> <risk@xn--bcher-kva.example>]"} {
		m, err := mail.ReadMessage(bytes.NewReader(mails[i].bytes))
		if err != nil {
			t.Fatal(err)
		}
		list, err := m.Header.AddressList("To")
		if got := fmt.Sprint(list); err != nil || got != want {
			t.Errorf("mail %d is to %s, %v; want %s", i, got, err, want)
		}
	}
}

func TestVerifyReportsMissingSMTPUTF8(t *testing.T) {
	var d dialogue
	c := open(t, d.start(t), to("pelé@example.com", "desk@example.com"))
	channeltest.AssertLines(t, channeltest.Verify(t, c), "ok server", "warning encryption", "ok sender",
		"failed recipient pelé@example.com: the server does not support SMTPUTF8", "ok recipient desk@example.com: accepted")
}
