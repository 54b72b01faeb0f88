package email

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// minimal is the least that a mail channel needs.
const minimal = "server: mail.example.com:587\nfrom: alerts@example.com\nto: [desk@example.com]\n"

func decode(t *testing.T, dir, text string) (Config, []string) {
	t.Helper()
	var c Config
	var faults []string
	for _, f := range yamldoc.Decode("notifier.yaml", dir, []byte(text), &c) {
		faults = append(faults, f.Path+" "+f.Message)
	}
	return c, faults
}

func TestDefaultsAreSafe(t *testing.T) {
	c, faults := decode(t, t.TempDir(), minimal)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if c.TLS != tlsMandatory || c.Auth != authNone || c.Connections != 2 || c.AcceptTimeout != time.Minute {
		t.Errorf("%+v", c)
	}
	c, faults = decode(t, t.TempDir(), strings.Replace(minimal, "587", "465", 1))
	if len(faults) > 0 || c.TLS != tlsImplicit {
		t.Errorf("on port 465, tls is %s; %v", c.TLS, faults)
	}
	c, faults = decode(t, t.TempDir(), minimal+"username: notifier\npassword: hunter22\n")
	if len(faults) > 0 || c.Auth != authAuto {
		t.Errorf("with a username, auth is %s; %v", c.Auth, faults)
	}
}

func TestConfigurationFaults(t *testing.T) {
	login := "username: notifier\npassword: hunter22\n"
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "helo: x\n", "server is missing"},
		{"no port", strings.Replace(minimal, ":587", "", 1), "needs a host and a port"},
		{"a port that is none", strings.Replace(minimal, "587", "smtp", 1), "is not a host and a port"},
		{"a URL", strings.Replace(minimal, "mail.example.com:587", "'smtp://mail.example.com:587'", 1), "host and"},
		{"no sender", "server: a:25\nto: [a@example.com]\n", "from is missing"},
		{"a sender that is none", strings.Replace(minimal, "alerts@example.com", "alerts", 1), `"alerts" is not an address`},
		{"a sender with a header", strings.Replace(minimal, "alerts@example.com", `"a@example.com\r\nBcc: b@example.com"`, 1), "is not an address"},
		{"no recipients", "server: a:25\nfrom: a@example.com\nto: []\n", "to is missing"},
		{"a recipient that is none", strings.Replace(minimal, "desk@", "desk@desk@", 1), "is not an address (number 1)"},
		{"a domain that is none", strings.Replace(minimal, "desk@example.com", "desk@ü..example", 1), "is not an address (number 1)"},
		{"a server that is none", strings.Replace(minimal, "mail.example.com", "mü_nchen.example", 1), "is not a host and a port"},
		{"a mechanism that is none", minimal + login + "auth: plian\n", `did you mean "plain"?`},
		{"a login and none", minimal + login + "auth: none\n", "yet there is a username or password"},
		{"a login without a name", minimal + "auth: plain\npassword: x\n", "username is missing"},
		{"a login without a password", minimal + "username: x\n", "password is missing"},
		{"a password in the clear", minimal + login + "auth: plain\ntls: none\n", "would send the password in the clear"},
		{"an encryption that is none", minimal + "tls: mandatroy\n", `did you mean "mandatory"?`},
		{"a name with a space", minimal + "helo: my host\n", "is not a host name"},
		{"too many connections", minimal + "connections: 9\n", "9 is not between 1 and 4"},
		{"no patience", minimal + "accept_timeout: 1s\n", "1s is not between 10s and 10m"},
		{"certificates that are not there", minimal + "ca: nowhere.pem\n", "cannot read certificates"},
		{"certificates that are none", minimal + "ca: empty.pem\n", "holds no certificate"},
		{"a key that is not known", minimal + "port: 25\n", "port unknown key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_, faults := decode(t, dir, test.text)
			if !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, test.want) }) {
				t.Errorf("faults %q, want one with %q", faults, test.want)
			}
			if strings.Contains(strings.Join(faults, " "), "hunter22") {
				t.Errorf("a fault shows the password: %q", faults)
			}
		})
	}
}

func TestRecipientListedTwiceGetsOneMail(t *testing.T) {
	for _, test := range []struct{ to, want string }{
		{"desk@example.com, desk@example.com", "desk@example.com"},
		{"desk@example.com, Desk <DESK@Example.com>, ops@example.com", "desk@example.com"},
		{"desk@bücher.example, desk@xn--bcher-kva.example", "desk@bücher.example"},
	} {
		c, faults := decode(t, t.TempDir(), strings.Replace(minimal, "desk@example.com", test.to, 1))
		if want := "is the same address as " + test.want + ": it gets one mail"; len(faults) != 1 || faults[0] != "to[1] "+want {
			t.Errorf("%s: %q, want %q", test.to, faults, want)
		}
		if n := strings.Count(test.to, ","); len(c.To) != n || c.To[0] != test.want {
			t.Errorf("%s: recipients %q", test.to, c.To)
		}
	}
}

func TestUnencryptedMailIsReported(t *testing.T) {
	login := "username: notifier\npassword: hunter22\n"
	at := func(server string) string { return strings.Replace(minimal, "mail.example.com:587", server, 1) }
	for _, test := range []struct{ text, want string }{
		{minimal + login + "auth: login\ntls: none\n", "tls is none: login would send the password in the clear"},
		{minimal + "tls: none\n", "tls is none: mails travel in the clear"},
		{minimal + login + "tls: none\n", "tls is none: mails travel in the clear"}, // auto takes no mechanism that shows the password
		{minimal + login + "auth: plain\ntls: none\ninsecure: true\n", ""},
		{at("localhost:25") + login + "auth: plain\ntls: none\n", ""},
		{at("'127.0.0.2:25'") + "tls: none\n", ""},
		{minimal + "insecure: true\n", "insecure has no effect"},
	} {
		_, faults := decode(t, t.TempDir(), test.text)
		if test.want == "" && len(faults) > 0 || test.want != "" && (len(faults) == 0 || !strings.HasPrefix(faults[0], test.want)) {
			t.Errorf("%s\n got %q\nwant %s", test.text, faults, test.want)
		}
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	_, faults := decode(t, t.TempDir(), "from: nobody\nto: [a, b]\ntls: no\nconnections: -1\n")
	if len(faults) != 6 {
		t.Errorf("%d faults, want 6: %q", len(faults), faults)
	}
}

func TestNewRejectsInvalidConfiguration(t *testing.T) {
	if c, err := New(Config{Server: "mail.example.com:587", From: "alerts@example.com"}, nil); err == nil {
		t.Errorf("a channel without recipients: %v", c.to)
	}
	if _, err := New(Config{Server: "mail.example.com:587", From: "alerts@example.com", To: []string{"desk@example.com"}, CA: "/nonexistent/ca.pem"}, nil); err == nil {
		t.Error("a channel without the certificates that it is to trust")
	}
}
