package secret_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/secret"
)

type login struct{ Username, Password secret.String }

type settings struct {
	URL     secret.String
	Headers map[string]secret.String
	Login   *login
}

func resolved(t *testing.T, dir, reference string) secret.String {
	t.Helper()
	var s secret.String
	_ = s.UnmarshalText([]byte(reference))
	if err := s.Resolve(dir); err != nil {
		t.Fatal(err)
	}
	return s
}

// values are secrets of every form, with the parts that must not be shown.
var values = []struct{ value, hidden string }{
	{"xoxb-1234-abcdef", "xoxb-1234-abcdef"},
	{`pa"ss/w<o>rd&+\ 1%`, `pa"ss/w<o>rd&+\ 1%`},
	{`a\u0041b%41c&amp;d`, `a\u0041b%41c&amp;d`},
	{"pässwörd 雪", "pässwörd 雪"},
	{"https://hook.example.com/v1/k3y-in-the-path?sig=ab%2Fcd%3D", "k3y-in-the-path"},
	{"https://hook.example.com/v1/k3y-in-the-path?sig=ab%2Fcd%3D", "ab/cd="},
	{"https://hook.example.com/s3cr3t", "/s3cr3t"},
	{"https://user:hunter22@hook.example.com/", "hunter22"},
	{"Bearer t0ken-of-the-hook", "t0ken-of-the-hook"},
	{"Basic " + base64.StdEncoding.EncodeToString([]byte("desk:hunter22")), "hunter22"},
	{"whsec_c2lnbmluZy1zZWNyZXQtb2YtMzItYnl0ZXM", "c2lnbmluZy1zZWNyZXQtb2YtMzItYnl0ZXM"},
}

func TestRedactorFindsEveryEncoding(t *testing.T) {
	for _, v := range values {
		r := secret.NewRedactor(secret.New(v.value))
		for _, s := range channeltest.Encodings {
			text := `{"error":"` + s.Encode("token "+v.hidden+" refused") + `"}`
			got := r.Redact(text)
			if written, shown := channeltest.FindSecret(got, v.hidden); shown {
				t.Errorf("%q %s: %s is left in\n%s", v.value, s.Name, written, got)
			}
			if !strings.HasPrefix(got, `{"error":"`) || !strings.HasSuffix(got, `"}`) || !strings.Contains(got, secret.Hidden) {
				t.Errorf("%q %s: garbled: %s", v.value, s.Name, got)
			}
			if again := r.Redact(got); again != got {
				t.Errorf("redacting twice changes the text: %s", again)
			}
		}
	}
}

// TestShortURLPathsAreHidden: the path is hidden although it is short.
func TestShortURLPathsAreHidden(t *testing.T) {
	r := secret.NewRedactor(secret.New("https://hook.example.com/s3cr3t"))
	for text, want := range map[string]string{
		"hook.example.com/s3cr3t answers": "hook.example.com[redacted] answers",
		"a/s3cr3ts/b":                     "a/s3cr3ts/b",
	} {
		if got := r.Redact(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestRedactorHidesUserAndPasswordTogether(t *testing.T) {
	for _, password := range []string{"hunter22", "pw1"} {
		r := secret.NewRedactor(login{secret.New("desk@example.com"), secret.New(password)})
		basic := base64.StdEncoding.EncodeToString([]byte("desk@example.com:" + password))
		plain := base64.StdEncoding.EncodeToString([]byte("\x00desk@example.com\x00" + password))
		xoauth := base64.StdEncoding.EncodeToString([]byte("user=desk@example.com\x01auth=Bearer " + password + "\x01\x01"))
		for text, want := range map[string]string{
			"Authorization: Basic " + basic:    "Authorization: Basic [redacted]",
			"AUTH PLAIN " + plain + " refused": "AUTH PLAIN [redacted] refused",
			"user desk@example.com refused":    "user desk@example.com refused",
		} {
			if got := r.Redact(text); got != want {
				t.Errorf("%s: got %q, want %q", password, got, want)
			}
		}
		if got := r.Redact("AUTH XOAUTH2 " + xoauth); len(password) >= 6 && got != "AUTH XOAUTH2 [redacted]" {
			t.Errorf("%q", got)
		}
	}
}

// TestRedactorKeepsWords: short secrets are hidden only as whole words.
func TestRedactorKeepsWords(t *testing.T) {
	r := secret.NewRedactor(settings{
		URL:     secret.New("http://127.0.0.1:9095/notifications"),
		Headers: map[string]secret.String{"X": secret.New("open"), "Y": secret.New("abc"), "Authorization": secret.New("Bearer sesame")},
		Login:   &login{secret.New("alerts@example.com"), secret.New("desk")},
	})
	for text, want := range map[string]string{
		"group notification-service reads notifications": "group notification-service reads notifications",
		"POST http://127.0.0.1:9095/notifications: 500":  "POST [redacted]: 500",
		"POST /notifications refused":                    "POST [redacted] refused",
		"reopened, openly":                               "reopened, openly",
		"the header is open":                             "the header is [redacted]",
		`{"x":"open"}`:                                   `{"x":"[redacted]"}`,
		"x=open%20y":                                     "x=[redacted]%20y",
		"abc is three letters":                           "abc is three letters",
		"sender alerts@example.com: accepted":            "sender alerts@example.com: accepted",
		"bearer of news, basic constraints":              "bearer of news, basic constraints",
		"desktop of the desk":                            "desktop of the [redacted]",
		"50% of a&b; 100%zz \\q \\u12":                   "50% of a&b; 100%zz \\q \\u12",
		"":                                               "",
	} {
		if got := r.Redact(text); got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

func TestWellKnownCredentialsAreHidden(t *testing.T) {
	var r *secret.Redactor
	for text, want := range map[string]string{
		"token xoxb-12345678-abc refused":                         "token [redacted] refused",
		"POST https://hooks.slack.com/services/T01/B01/abcDEF123": "POST https://hooks.slack.com/services/[redacted]",
		"a webhook is https://hooks.slack.com/services/T…/B…/…":   "a webhook is https://hooks.slack.com/services/T…/B…/…",
		"POST https://api.telegram.org/bot123:AAF-abc_12/x":       "POST https://api.telegram.org/bot123:[redacted]/x",
		"POST https://discord.com/api/webhooks/11/abc-DEF_1?a=b":  "POST https://discord.com/api/webhooks/11/[redacted]?a=b",
		"Authorization: Bearer abcdef123456":                      "Authorization: Bearer [redacted]",
		"Authorization: Basic ZGVzazpodW50ZXIy":                   "Authorization: Basic [redacted]",
		"http://desk:hunter2@proxy:3128/ refuses":                 "http://[redacted]@proxy:3128/ refuses",
		"GET /hook?a=1&token=abc":                                 "GET /hook?a=1&token=[redacted]",
		"nothing":                                                 "nothing",
	} {
		if got := r.Redact(text); got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

// TestRedactorTracksFileChanges: a new value is redacted before Current returns it,
// and the old ones for some more changes.
func TestRedactorTracksFileChanges(t *testing.T) {
	dir := t.TempDir()
	write := func(i int) string {
		text := fmt.Sprintf("t0ken-number-%d", i)
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return text
	}
	write(0)
	l := login{secret.New("desk"), resolved(t, dir, "file:token")}
	r := secret.NewRedactor(map[string]login{"mail": l}) // of a copy
	for i := range 20 {
		text := write(i)
		if got := l.Password.Current(); got != text {
			t.Fatalf("%q", got)
		}
		shown := "refused: " + text + ", " + base64.StdEncoding.EncodeToString([]byte("desk:"+text))
		if got := r.Redact(shown); got != "refused: [redacted], [redacted]" {
			t.Errorf("%q", got)
		}
		if got := r.Redact(fmt.Sprintf("t0ken-number-%d.", max(0, i-7))); got != "[redacted]." {
			t.Errorf("a value of seven changes ago: %q", got)
		}
	}
	if got := r.Redact("t0ken-number-2."); got == "[redacted]." {
		t.Error("all values are kept")
	}
}

func TestRedactorIsSafeForConcurrentUse(t *testing.T) {
	r := secret.NewRedactor(secret.New("hunter22"))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			r.Add(fmt.Sprintf("s3cret-%d", i))
			if got := r.Redact(fmt.Sprintf("hunter22 s3cret-%d", i)); got != "[redacted] [redacted]" {
				t.Errorf("%q", got)
			}
		})
	}
	all.Wait()
}

// FuzzRedact: no text contains the secret after redaction.
func FuzzRedact(f *testing.F) {
	for _, v := range values {
		f.Add(v.value, "%25 \\u12", "&#x41;")
	}
	f.Fuzz(func(t *testing.T, value, before, after string) {
		r := secret.NewRedactor(secret.New(value))
		got := r.Redact(before + value + after)
		if len(value) >= 8 && !strings.Contains(secret.Hidden, value) && strings.Contains(got, value) && !strings.Contains(before+after, value) {
			// Removing one part may join its neighbours into the secret only if they
			// already held a piece of it.
			if !strings.Contains(before+secret.Hidden+after, value) {
				t.Errorf("%q is left in %q", value, got)
			}
		}
	})
}

// BenchmarkRedactNothing redacts a log value without a secret.
func BenchmarkRedactNothing(b *testing.B) {
	var all []secret.String
	for i := range 12 {
		all = append(all, secret.New(fmt.Sprintf("https://hook-%d.example.com/v1/k3y-%d?sig=abcdef%d", i, i, i)))
	}
	r := secret.NewRedactor(all)
	for name, text := range map[string]string{
		"short": "risk.example.com answers 422", "escapes": strings.Repeat(`{"error":"no%20such\u0020thing"}`, 8),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r.Redact(text) != text {
					b.Fatal("changed")
				}
			}
		})
	}
}
