package email

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures an email channel: SMTP server, sender and recipients.
type Config struct {
	// Server is the server's host and port, such as mail.example.com:587.
	Server string `yaml:"server"`
	// From is the sender, which receives the bounces.
	From string `yaml:"from"`
	// To are the recipients, all in one To header.
	To []string `yaml:"to"`

	// Username of the login.
	Username secret.String `yaml:"username"`
	// Password of the login, or with xoauth2 the token.
	Password secret.String `yaml:"password"`
	// Auth is the authentication mechanism: auto (the strongest offered), plain,
	// login, scram, cram-md5, xoauth2 (the password is the token) or none.
	// Default: auto with a username, else none.
	Auth string `yaml:"auth"`

	// TLS is one of mandatory (STARTTLS, the default), implicit (TLS from the first
	// byte, the default on port 465: RFC 8314, 7.3) and none.
	TLS string `yaml:"tls"`
	// CA is a PEM file with certificates to trust instead of the system's. It is
	// read for every connection.
	CA string `yaml:"ca"`
	// Insecure allows login and mails without TLS to another host, with TLS
	// none. It does not disable certificate verification.
	Insecure bool `yaml:"insecure"`
	// HELO is the client's name in EHLO. Default: the host name if it is fully
	// qualified, else the address of the connection, such as [192.0.2.1].
	HELO string `yaml:"helo"`

	// Connections is the number of concurrent connections, 1 to 4; default 2.
	Connections int `yaml:"connections" range:"1..4"`
	// AcceptTimeout bounds the reply to the end of data; default 60 s. RFC 5321,
	// 4.5.3.2.6 recommends 10 min, since a time-out may cause a duplicate.
	AcceptTimeout time.Duration `yaml:"accept_timeout" range:"10s..10m"`
}

// Values of Auth and TLS.
const (
	authAuto, authNone = "auto", "none"

	tlsMandatory, tlsImplicit, tlsNone = "mandatory", "implicit", "none"
)

func (c *Config) fill() {
	if c.Auth == "" {
		c.Auth = authNone
		if !c.Username.IsZero() {
			c.Auth = authAuto
		}
	}
	if c.TLS == "" {
		c.TLS = tlsMandatory
		if strings.HasSuffix(c.Server, ":465") {
			c.TLS = tlsImplicit
		}
	}
	if c.Connections == 0 {
		c.Connections = 2
	}
	if c.AcceptTimeout == 0 {
		c.AcceptTimeout = time.Minute
	}
}

// Authorities returns the path of the CA file; empty: none.
func (c Config) Authorities() string { return c.CA }

// CheckYAML implements yamldoc.Checker. It makes CA absolute and sets defaults.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if c.CA != "" && !filepath.IsAbs(c.CA) {
		c.CA = filepath.Join(at.Dir(), c.CA)
	}
	items := at.Field("to").Items()
	for i, first := range c.dedupe() {
		if i < len(items) {
			items[i].Warn("is the same address as %s: it gets one mail", first)
		}
	}
	c.fill()
	for _, fault := range c.faults() {
		at.Field(fault.key).Fault("%s", fault.message)
	}
	switch clear := c.TLS == tlsNone && !c.local(); {
	case clear && !c.Insecure && c.sendsPassword(): // reported as a fault
	case clear && !c.Insecure:
		at.Field("tls").Warn("is none: mails travel in the clear; use mandatory or implicit, or set insecure: true")
	case !clear && c.Insecure:
		at.Field("insecure").Warn("has no effect: it only allows tls: none to another host; certificates are always verified")
	}
	if warning := c.warnHELO(); warning != "" {
		at.Field("helo").Warn("%s: many servers refuse it; use the fully qualified name of this host", warning)
	}
	if c.CA != "" {
		if _, err := egress.OpenRoots(c.CA); err != nil {
			at.Field("ca").Fault("%v", err)
		}
	}
}

// CheckCommon reports common settings that conflict with the email settings.
func (c *Config) CheckCommon(at yamldoc.Cursor, common dispatch.Config) {
	if c.AcceptTimeout >= common.Timeout {
		at.Field("timeout").Fault("%s must be longer than email.accept_timeout (%s)", duration.Text(common.Timeout), duration.Text(c.AcceptTimeout))
	}
	if common.Concurrency > c.Connections {
		at.Field("concurrency").Fault("%d is more than email.connections (%d)", common.Concurrency, c.Connections)
	}
}

type fault struct{ key, message string }

// faults returns what is wrong with the values, without reading files.
func (c *Config) faults() []fault {
	var list faults
	c.checkServer(&list)
	c.checkAddresses(&list)
	c.checkLogin(&list)
	list.unless(c.TLS == tlsMandatory || c.TLS == tlsImplicit || c.TLS == tlsNone, "tls", "%s", unknownValue(c.TLS, tlsMandatory, tlsImplicit, tlsNone))
	list.unless(isName(c.HELO), "helo", "%q is not a host name", c.HELO)
	return list
}

type faults []fault

// unless adds a fault unless valid.
func (l *faults) unless(valid bool, key, format string, args ...any) {
	if !valid {
		*l = append(*l, fault{key, fmt.Sprintf(format, args...)})
	}
}

func (c *Config) checkServer(list *faults) {
	const example = "such as mail.example.com:587"
	host, port, err := net.SplitHostPort(c.Server)
	n, _ := strconv.ParseUint(port, 10, 16)
	switch {
	case c.Server == "":
		list.unless(false, "server", "is missing: the SMTP server, %s", example)
	case err != nil:
		list.unless(false, "server", "%q needs a host and a port, %s", c.Server, example)
	default:
		list.unless(n > 0 && host != "" && isName(host), "server", "%q is not a host and a port, %s", c.Server, example)
	}
}

func (c *Config) checkAddresses(list *faults) {
	_, err := parseAddress(c.From)
	list.unless(c.From != "", "from", "is missing: the sender's address")
	list.unless(c.From == "" || err == nil, "from", "%q is not an address", c.From)
	list.unless(len(c.To) > 0, "to", "is missing: the recipients' addresses")
	for i, to := range c.To {
		_, err := parseAddress(to)
		list.unless(err == nil, "to", "%q is not an address (number %d)", to, i+1)
	}
}

// dedupe drops the recipients that are listed already, in whatever form. It returns
// the first form of each, by the index of the recipient that was dropped.
func (c *Config) dedupe() map[int]string {
	dropped, seen := make(map[int]string), make(map[string]string)
	var to []string
	for i, text := range c.To {
		a, err := parseAddress(text)
		if err == nil {
			address := strings.ToLower(a.Address)
			if first, listed := seen[address]; listed {
				dropped[i] = first
				continue
			}
			seen[address] = text
		}
		to = append(to, text)
	}
	c.To = to
	return dropped
}

func (c *Config) checkLogin(list *faults) {
	switch {
	case !slices.Contains(authNames(), c.Auth):
		list.unless(false, "auth", "%s", unknownValue(c.Auth, authNames()...))
	case c.Auth == authNone:
		list.unless(c.Username.IsZero() && c.Password.IsZero(), "auth", "is none, yet there is a username or password")
	case c.Username.IsZero():
		list.unless(false, "username", "is missing: auth is %s", c.Auth)
	case c.Password.IsZero():
		list.unless(false, "password", "is missing: auth is %s", c.Auth)
	default:
		list.unless(c.TLS != tlsNone || !c.sendsPassword() || c.mayBeClear(), "tls",
			"is none: %s would send the password in the clear; use mandatory or implicit, or set insecure: true if the network is trusted", c.Auth)
	}
}

// local reports whether the server is this host.
func (c *Config) local() bool {
	host, _, _ := net.SplitHostPort(c.Server)
	return egress.IsLocal(host)
}

// sendsPassword reports whether the configured mechanism sends the password
// itself. Without TLS, auto chooses no such mechanism.
func (c *Config) sendsPassword() bool {
	return slices.Contains([]string{"plain", "login", "xoauth2"}, c.Auth)
}

// mayBeClear reports whether a password may travel unencrypted.
func (c *Config) mayBeClear() bool { return c.Insecure || c.local() }

// unknown is the text for a value that is none of known.
func unknownValue(value string, known ...string) string {
	if s := suggest.Closest(value, known); s != "" {
		return fmt.Sprintf("%q is unknown: did you mean %q?", value, s)
	}
	return fmt.Sprintf("%q is unknown: use one of %s", value, strings.Join(known, ", "))
}

// isName reports whether s may be a host name or an address literal.
func isName(s string) bool {
	_, err := asciiDomain(s)
	return err == nil && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@<>"`, r) })
}
