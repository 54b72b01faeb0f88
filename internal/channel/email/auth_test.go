package email

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wneessen/go-mail/smtp"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

func TestAuthUsesStrongestAllowedMechanism(t *testing.T) {
	const everything = "XOAUTH2 LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256"
	for _, test := range []struct {
		auth, offered string
		want          string // the mechanism that AUTH names; "": none
	}{
		{"auto", everything, "SCRAM-SHA-256"},
		{"auto", "LOGIN PLAIN SCRAM-SHA-1", "SCRAM-SHA-1"},
		{"auto", "LOGIN PLAIN CRAM-MD5", "PLAIN"},
		{"auto", "LOGIN CRAM-MD5", "LOGIN"},
		{"auto", "CRAM-MD5 NTLM", "CRAM-MD5"},
		{"auto", "plain", "PLAIN"},
		{"auto", "XOAUTH2", ""}, // a token is no password
		{"auto", "NTLM GSSAPI", ""},
		{"plain", everything, "PLAIN"},
		{"login", everything, "LOGIN"},
		{"cram-md5", everything, "CRAM-MD5"},
		{"xoauth2", everything, "XOAUTH2"},
		{"scram", everything, "SCRAM-SHA-256"},
		{"scram", "PLAIN LOGIN", ""}, // never a weaker one than was asked for
	} {
		t.Run(test.auth+" of "+test.offered, func(t *testing.T) {
			var used string
			addr := smtptest.Raw(t, func(line string) string {
				verb, rest, _ := strings.Cut(line, " ")
				switch verb {
				case "EHLO":
					return "250-raw\n250 AUTH " + test.offered
				case "AUTH":
					used, _, _ = strings.Cut(rest, " ")
					return "535 5.7.8 no"
				}
				return smtptest.Default(line)
			})
			c := open(t, addr, func(c *Config) {
				c.Auth, c.Username, c.Password = test.auth, secret.New("notifier"), secret.New("hunter22")
			})
			_, err := c.Send(t.Context(), message())
			want := outcome.Credentials
			if test.want == "" {
				want = outcome.Misconfigured
			}
			if used != test.want || cause(err) != want {
				t.Errorf("logs in with %q: %v; want %q and %s", used, err, test.want, want)
			}
		})
	}
}

func TestPasswordIsNotSentUnencrypted(t *testing.T) {
	for _, auth := range []string{"auto", "plain", "login", "xoauth2"} {
		config := Config{Auth: auth, Username: secret.New("notifier"), Password: secret.New("hunter22"), Server: "mail.example.com:25"}
		l := &login{config: &config, host: "mail.example.com"}
		mechanism, _, err := l.Start(serverInfo(false, "PLAIN", "LOGIN", "XOAUTH2"))
		if err == nil {
			t.Errorf("%s: logs in with %s", auth, mechanism)
		}
		if _, _, err = l.Start(serverInfo(true, "PLAIN", "LOGIN", "XOAUTH2")); err != nil {
			t.Errorf("%s on an encrypted connection: %v", auth, err)
		}
		config.Insecure = true
		if _, _, err = l.Start(serverInfo(false, "PLAIN", "LOGIN", "XOAUTH2")); err != nil {
			t.Errorf("%s where that is wanted: %v", auth, err)
		}
	}
}

// TestPasswordReloadsWithoutRestart: its file is read for every login, and
// while it is being written the old one is in force.
func TestPasswordReloadsWithoutRestart(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{TLS: true, Username: "notifier", Password: "hunter22"})
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "password"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	config, faults := decode(t, dir, minimal+"username: notifier\npassword: file:password\nca: "+server.CA)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c := open(t, server.Addr, func(c *Config) {
		*c = config
		c.Server = server.Addr
	})
	if _, err := c.Send(t.Context(), message()); cause(err) != outcome.Credentials {
		t.Errorf("with the old password: %v", err)
	}
	for _, text := range []string{"hunter22\n", ""} {
		write(text)
		c.pool.close() // so that it logs in
		c.pool.closed = false
		if _, err := c.Send(t.Context(), message()); err != nil {
			t.Errorf("with %q in the file: %v", text, err)
		}
	}
}

func TestWrongPasswordMapsToCredentials(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{TLS: true, Username: "notifier", Password: "hunter22"})
	c := open(t, server.Addr, func(c *Config) {
		c.TLS, c.CA = tlsMandatory, server.CA
		c.Username, c.Password = secret.New("notifier"), secret.New("wrong")
	})
	_, err := c.Send(t.Context(), message())
	if e := outcome.Classify(err); e.Cause != outcome.Credentials || e.Detail != "AUTH 535 5.7.8: Authentication failed" {
		t.Errorf("%v, want credentials: AUTH 535 5.7.8: Authentication failed", e)
	}
}

func serverInfo(encrypted bool, mechanisms ...string) *smtp.ServerInfo {
	return &smtp.ServerInfo{Name: "mail.example.com", TLS: encrypted, Auth: mechanisms}
}
