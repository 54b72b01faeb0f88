package email

import (
	"flag"
	unescape "html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/secret"
)

var update = flag.Bool("update", false, "write the golden files")

// parts reads a mail back as a mail program would.
func parts(t testing.TB, raw []byte) (header netmail.Header, text, html string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q, %v", kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for i := 0; ; i++ {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return m.Header, text, html
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		clean := strings.ReplaceAll(string(body), "\r\n", "\n")
		switch kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); {
		case kind == "text/plain" && i == 0:
			text = clean
		case kind == "text/html" && i == 1:
			html = clean
		default:
			t.Fatalf("part %d is %s", i, kind)
		}
	}
}

func compose(t *testing.T, m channel.Message, zone *time.Location) (netmail.Header, string, string) {
	t.Helper()
	c := open(t, "127.0.0.1:25", func(c *Config) { c.From = "Alerts <alerts@example.com>" })
	m.Zone = zone
	mail, err := c.compose(m, false)
	if err != nil {
		t.Fatal(err)
	}
	return parts(t, mail.bytes)
}

func TestMailMatchesGoldenFiles(t *testing.T) {
	special := channeltest.Message()
	special.Alert.Severity = alert.Critical
	special.Alert.Text = alert.Text{{Text: "First line.\nSecond: "}, {Text: "<script>alert(1)</script>", Value: true}}
	special.Now = special.Alert.EventTime.Add(4*time.Minute + 10*time.Second)
	special.MayBeDuplicate, special.Instead = true, &channel.Instead{Channel: "desk-slack", Cause: "suspended: invalid_auth"}
	special.Suppressed, special.SuppressedSince = 14, special.Alert.EventTime

	ordinary := message()
	ordinary.Alert.Runbook = "runbook 7, page 3" // no web address: it is not drawn
	ordinary.Alert.Fields = []alert.Field{{Label: "order"}, {Label: "quantity", Value: alert.Text{{Text: "400", Value: true}}}}

	newYork := time.FixedZone("EST", -5*60*60)
	for name, test := range map[string]struct {
		message channel.Message
		zone    *time.Location
	}{
		"mail":     {special, time.UTC},
		"digest":   {channeltest.Digest(4800), time.UTC},
		"resolved": {channeltest.Resolved(), time.UTC},
		"reminder": {channeltest.Reminder(), newYork},
		"instead":  {channeltest.Instead(), time.UTC},
		"ordinary": {ordinary, newYork},
	} {
		_, text, html := compose(t, test.message, test.zone)
		golden(t, name+".txt.golden", text)
		golden(t, name+".html.golden", html)
		if strings.Contains(html, "<script>") || strings.ContainsRune(html, '\u202e') {
			t.Error("a value is obeyed as markup or direction")
		}
	}
}

// golden compares what a person reads with a file; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestHeadersIdentifyDeliveryAndAlertKey(t *testing.T) {
	m := channeltest.Message()
	first, _, _ := compose(t, m, time.UTC)
	m.Now = m.Now.Add(time.Hour)
	again, _, _ := compose(t, m, time.UTC)
	other := channeltest.Message()
	other.Delivery, other.Alert.Key = "dl_other", []string{"ACC-2"}
	different, _, _ := compose(t, other, time.UTC)
	if id := first.Get("Message-ID"); id != "<dl_abcdefghijklmnopqrstuvwxyz@example.com>" || again.Get("Message-ID") != id {
		t.Errorf("Message-ID is %s, then %s", id, again.Get("Message-ID"))
	}
	if refs := first.Get("References"); refs == "" || again.Get("References") != refs || different.Get("References") == refs {
		t.Errorf("References are %s, then %s, of another key %s", refs, again.Get("References"), different.Get("References"))
	}
	if first.Get("Auto-Submitted") != "auto-generated" {
		t.Error("the mail does not say that a machine sent it")
	}
}

func TestInvisibleCharactersAreEscapedInMails(t *testing.T) {
	header, text, html := compose(t, channeltest.Hostile(), time.UTC)
	subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]string{"the subject": subject, "the text": text, "the HTML": unescape.UnescapeString(html)} {
		channeltest.AssertEscaped(t, what, s)
	}
}

func TestSubjectIsNotDecoded(t *testing.T) {
	for _, title := range []string{
		"plain", "=?utf-8?q?Rejected=E2=80=AE?=", "a =?utf-8?b?WW91J3ZlIHdvbg==?= b", "=?", "x=?y", "é =?utf-8?q?a?=", "a\x1b\u202e=?utf-8?q?=1B?=",
		strings.Repeat("=?utf-8?q?a?= ", 40), strings.Repeat("雪=?", 60),
	} {
		m := message()
		m.Alert.Title = alert.Text{{Text: title, Value: true}}
		header, _, _ := compose(t, m, time.UTC)
		raw := header.Get("Subject")
		got, err := new(mime.WordDecoder).DecodeHeader(raw)
		if want := subject(m); err != nil || got != strings.TrimSpace(want) {
			t.Errorf("%q, %v\n got %q\nwant %q", raw, err, got, want)
		}
		for word := range strings.FieldsSeq(raw) {
			if len(word) > 75 {
				t.Errorf("a word of %d characters: %s", len(word), word)
			}
		}
	}
}

func TestNoSecretIsShown(t *testing.T) {
	const password = "hunter22-password"
	refusing := smtptest.Start(t, smtptest.Config{TLS: true, Username: "notifier", Password: "another"})
	c := open(t, refusing.Addr, func(c *Config) {
		c.TLS, c.CA = tlsMandatory, refusing.CA
		c.Username, c.Password = secret.New("notifier"), secret.New(password)
	})
	_, err := c.Send(t.Context(), message())
	channeltest.AssertLeaksNoSecret(t, err, password)
	echo := smtptest.Raw(t, func(line string) string {
		switch {
		case strings.HasPrefix(line, "EHLO"):
			return "250-raw\n250 AUTH PLAIN"
		case strings.HasPrefix(line, "AUTH"):
			return "535 5.7.8 not with " + password
		}
		return smtptest.Default(line)
	})
	c = open(t, echo, func(c *Config) { c.Username, c.Password = secret.New("notifier"), secret.New(password) })
	_, err = c.Send(t.Context(), message())
	if strings.Contains(err.Error(), password) {
		t.Errorf("shown: %v", err)
	}
}

// TestPreviewIsMailThatIsSent: subject, text and HTML.
func TestPreviewIsMailThatIsSent(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, nil)
	for i, m := range []channel.Message{channeltest.Message(), channeltest.Resolved(), channeltest.Digest(30)} {
		p, err := c.Preview(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		header, text, html := parts(t, server.Mails()[i].Data)
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if err != nil {
			t.Fatal(err)
		}
		for j, sent := range []string{subject, text, html} {
			if shown := p.Parts[j]; strings.TrimRight(shown.Content, "\n") != strings.TrimRight(sent, "\n") {
				t.Errorf("%s is shown as\n%s\nsent\n%s", shown.Name, shown.Content, sent)
			}
		}
	}
}
