package email

import (
	"fmt"
	"net"
	"net/mail"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures an email channel: the SMTP server that takes its mails,
// whom they are from, and whom they go to.
type Config struct {
	// Server is the server's host and port, such as mail.example.com:587.
	Server string `yaml:"server"`
	// From is the sender. Bounces go there, so somebody should read it.
	From string `yaml:"from"`
	// To are the recipients. They all see each other.
	To []string `yaml:"to"`

	Username secret.String `yaml:"username"`
	Password secret.String `yaml:"password"`
	// Auth is how to log in: auto (the strongest that the server offers),
	// plain, login, scram, cram-md5, xoauth2 (the password is the token), or
	// none. It is auto when there is a username, else none.
	Auth string `yaml:"auth"`

	// TLS is mandatory (STARTTLS, the default), implicit (encrypted from the
	// first byte, the default on port 465: RFC 8314, 7.3) or none, which is
	// never chosen by itself.
	TLS string `yaml:"tls"`
	// CA is a PEM file with the certificates to trust instead of the system's.
	// It is read at every connection, so it can be replaced while running.
	CA string `yaml:"ca"`
	// Insecure lets login and mails travel without TLS to another machine, where
	// TLS is none. Certificates are verified all the same.
	Insecure bool `yaml:"insecure"`
	// HELO is the name we introduce ourselves with; the host's by default.
	HELO string `yaml:"helo"`

	// Connections is how many mails are sent at once, 1 to 4; 2 by default.
	Connections int `yaml:"connections"`
	// AcceptTimeout is how long the server may take to accept a mail that was
	// sent as a whole, 60 s by default. RFC 5321, 4.5.3.2.6 asks for 10 min: who
	// gives up early makes duplicates, as the server goes on with the mail.
	AcceptTimeout time.Duration `yaml:"accept_timeout"`
}

// The ways to log in and to encrypt.
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

// Authorities is the file of certificates to trust; empty: there is none.
func (c Config) Authorities() string { return c.CA }

// CheckYAML implements yamldoc.Checker. It makes CA absolute and fills in the
// defaults.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if c.CA != "" && !filepath.IsAbs(c.CA) {
		c.CA = filepath.Join(at.Dir(), c.CA)
	}
	c.fill()
	for fault := range c.faults {
		at.Field(fault.key).Fault("%s", fault.message)
	}
	switch clear := c.TLS == tlsNone && !c.local(); {
	case clear && !c.Insecure && c.showsPassword(): // which is a fault
	case clear && !c.Insecure:
		at.Field("tls").Warn("is none: mails travel in the clear; use mandatory or implicit, or write insecure: true beside it")
	case !clear && c.Insecure:
		at.Field("insecure").Warn("has no effect: it is about tls: none to another machine, and certificates are always verified")
	}
	if c.CA != "" {
		if _, err := egress.OpenRoots(c.CA); err != nil {
			at.Field("ca").Fault("%v", err)
		}
	}
}

// CheckCommon says where what all channels have does not fit an email channel:
// the shorter of two time-outs, the smaller of two bounds, would win silently.
func (c *Config) CheckCommon(at yamldoc.Cursor, common dispatch.Config) {
	if c.AcceptTimeout >= common.Timeout {
		at.Field("timeout").Fault("%s must be longer than email.accept_timeout (%s), which is a part of it", common.Timeout, c.AcceptTimeout)
	}
	if common.Concurrency > c.Connections {
		at.Field("concurrency").Fault("%d is more than email.connections (%d)", common.Concurrency, c.Connections)
	}
}

type fault struct{ key, message string }

// faults yields what is wrong with the values, without looking at any file.
func (c *Config) faults(yield func(fault) bool) {
	say := func(key, format string, args ...any) bool {
		return yield(fault{key, fmt.Sprintf(format, args...)})
	}
	checks := []func() bool{
		func() bool { return c.checkServer(say) },
		func() bool { return c.checkAddresses(say) },
		func() bool { return c.checkLogin(say) },
		func() bool { return oneOf(say, "tls", c.TLS, tlsMandatory, tlsImplicit, tlsNone) },
		func() bool {
			return strings.IndexFunc(c.HELO, notInName) < 0 || say("helo", "%q is not a host name", c.HELO)
		},
		func() bool {
			return c.Connections >= 1 && c.Connections <= 4 || say("connections", "must be 1 to 4")
		},
		func() bool {
			return c.AcceptTimeout >= 10*time.Second && c.AcceptTimeout <= 10*time.Minute ||
				say("accept_timeout", "must be 10s to 10m")
		},
	}
	for _, check := range checks {
		if !check() {
			return
		}
	}
}

type sayer func(key, format string, args ...any) bool

func (c *Config) checkServer(say sayer) bool {
	if c.Server == "" {
		return say("server", "is missing: the SMTP server, such as mail.example.com:587")
	}
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return say("server", "%q needs a host and a port, such as mail.example.com:587", c.Server)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" || strings.IndexFunc(host, notInName) >= 0 {
		return say("server", "%q is not a host and a port, such as mail.example.com:587", c.Server)
	}
	return true
}

func (c *Config) checkAddresses(say sayer) bool {
	if c.From == "" {
		if !say("from", "is missing: the sender's address") {
			return false
		}
	} else if _, err := mail.ParseAddress(c.From); err != nil && !say("from", "%q is not an address", c.From) {
		return false
	}
	if len(c.To) == 0 {
		return say("to", "is missing: the recipients' addresses")
	}
	seen := map[string]bool{}
	for i, to := range c.To {
		a, err := mail.ParseAddress(to)
		switch {
		case err != nil:
			if !say("to", "%q is not an address (number %d)", to, i+1) {
				return false
			}
		case seen[strings.ToLower(a.Address)]:
			if !say("to", "%s stands here twice", a.Address) {
				return false
			}
		default:
			seen[strings.ToLower(a.Address)] = true
		}
	}
	return true
}

func (c *Config) checkLogin(say sayer) bool {
	switch {
	case !oneOf(nil, "", c.Auth, authNames()...):
		return oneOf(say, "auth", c.Auth, authNames()...)
	case c.Auth == authNone:
		return c.Username.IsZero() && c.Password.IsZero() || say("auth", "is none, yet there is a username or password")
	case c.Username.IsZero():
		return say("username", "is missing: auth is %s", c.Auth)
	case c.Password.IsZero():
		return say("password", "is missing: auth is %s", c.Auth)
	case c.TLS == tlsNone && c.showsPassword() && !c.mayBeClear():
		return say("tls", "is none: %s would send the password in the clear; use mandatory or implicit, or write insecure: true beside it if nobody can listen in between", c.Auth)
	}
	return true
}

// local reports whether the server is this machine.
func (c *Config) local() bool {
	host, _, _ := net.SplitHostPort(c.Server)
	return egress.IsLocal(host)
}

// showsPassword reports whether the login was configured to be one that sends
// the password itself. auto is none: without TLS it takes no such mechanism.
func (c *Config) showsPassword() bool {
	return slices.Contains([]string{"plain", "login", "xoauth2"}, c.Auth)
}

// mayBeClear reports whether a password may travel unencrypted.
func (c *Config) mayBeClear() bool { return c.Insecure || c.local() }

// oneOf checks that value is known; with a nil say it only answers.
func oneOf(say sayer, key, value string, known ...string) bool {
	if slices.Contains(known, value) {
		return true
	}
	if say == nil {
		return false
	}
	if s := suggest.Closest(value, known); s != "" {
		return say(key, "%q is not known: did you mean %q?", value, s)
	}
	return say(key, "%q is not known; known here: %s", value, strings.Join(known, ", "))
}

// notInName reports whether r cannot stand in a host name or an address literal.
func notInName(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@<>"`, r) }
