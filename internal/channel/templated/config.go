package templated

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures a templated HTTP channel: a preset, or a body of one's own.
type Config struct {
	// Preset names a known provider, whose settings are the defaults.
	Preset string `yaml:"preset"`
	// URL is where requests go. It is secret, since it may contain a key.
	URL    secret.String `yaml:"url"`
	Method string        `yaml:"method" oneof:"POST,PUT,PATCH"` // Method is POST (the default), PUT or PATCH.
	// Token is a Telegram bot's token; other presets send it as Authorization: Bearer.
	Token secret.String `yaml:"token"`
	// Chat is the id of Telegram's chat, or @name of a public channel.
	Chat string `yaml:"chat"`
	// Topic is ntfy's topic.
	Topic secret.String `yaml:"topic"`
	// Headers are sent with each request, such as Authorization.
	Headers map[string]secret.String `yaml:"headers"`
	// Body is the request's body; empty: the preset's.
	Body Tree `yaml:"body"`
	// Encoding of the body: json (the default), form or text.
	Encoding string `yaml:"encoding" oneof:",json,form,text"`
	// Escape is how values are written into the body's texts: none, html, slack or
	// markdown; empty: as the preset's provider needs it, or none.
	Escape string `yaml:"escape" oneof:",html,markdown,none,slack"`
	// MaxText limits each text of the body, in characters; default: no limit.
	MaxText int `yaml:"max_text" range:"10.."`
	// Success are the responses that mean that the message was delivered.
	Success Match `yaml:"success"`
	// Refused are the responses that mean that the message is refused for its content.
	Refused Match `yaml:"refused"`
	// Rate are the responses that mean that the message has to wait.
	Rate Match `yaml:"rate"`
	// RetryAfter is where a response says how many seconds to wait, besides Retry-After.
	RetryAfter Place `yaml:"retry_after"`
	// CA is a PEM file with certificates to trust instead of the system's. It is read
	// for every connection.
	CA string `yaml:"ca"`
	// Proxy is the URL of a proxy, or none; empty: that of the environment. It is
	// read at the start.
	Proxy secret.String `yaml:"proxy"`
	// Insecure allows http:// to other hosts. It does not disable certificate
	// verification.
	Insecure bool `yaml:"insecure"`
}

// Authorities returns the path of the CA file; empty: none.
func (c Config) Authorities() string { return c.CA }

// Destination is where the channel sends to, without the URL's path, which may be
// secret.
func (c Config) Destination() string {
	base := c.URL.Reveal()
	if p := presetOf(c.Preset); base == "" && p != nil {
		base = p.url
	}
	u, err := httpsend.ParseURL(base)
	if err != nil {
		return c.URL.String()
	}
	at := httpsend.Shown(u)
	if c.Preset != "" {
		at = c.Preset + " at " + u.Host
	}
	if c.Chat != "" {
		at += ", chat " + c.Chat
	}
	return at
}

// DefaultPace returns how many messages a second the preset's provider takes, 0 without a known
// limit, and how many at once.
func (c Config) DefaultPace() (perSecond float64, burst int) {
	if p := presetOf(c.Preset); p != nil {
		return p.rate, p.burst
	}
	return 0, 0
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	p := presetOf(c.Preset)
	if c.Preset != "" && p == nil {
		if s := suggest.Closest(c.Preset, Presets()); s != "" {
			at.Field("preset").Fault("%q is not a preset: did you mean %s?", c.Preset, s)
		} else {
			at.Field("preset").Fault("%q is not a preset: use one of %s", c.Preset, strings.Join(Presets(), ", "))
		}
	}
	c.checkNeeds(at, p)
	if text := c.URL.Reveal(); text != "" { // an unresolved reference is reported already
		if u, err := httpsend.ParseURL(text); err != nil {
			at.Field("url").Fault("%v", err)
		} else {
			c.checkClear(at.Field("url"), u)
		}
		if c.isCredential() && c.URL.IsLiteral() {
			at.Field("url").Warn("is a secret in the file: write env:NAME or file:PATH instead")
		}
	}
	for name := range c.Headers {
		switch key := http.CanonicalHeaderKey(name); {
		case !httpsend.IsHeaderName(name):
			at.Field("headers").Field(name).Fault("is not a header name")
		case key == "Content-Length", key == "Host", key == "Idempotency-Key", key == "Traceparent", key == "Tracestate":
			at.Field("headers").Field(name).Fault("is set by the notifier itself")
		case strings.ContainsAny(c.Headers[name].Reveal(), "\r\n\x00"):
			at.Field("headers").Field(name).Fault("contains a line break")
		}
	}
	if token := c.Token.Reveal(); token != "" && checkToken(c.Preset, token) != nil {
		at.Field("token").Fault("%v", checkToken(c.Preset, token))
	}
	if c.Chat != "" && !chatForm.MatchString(c.Chat) {
		at.Field("chat").Fault("%q is not a chat's id, such as -1001234567890, nor @name of a public channel", c.Chat)
	}
	c.checkBody(at)
	httpsend.CheckConnection(at, &c.CA, c.Proxy)
}

// checkNeeds reports what a preset needs, and settings that it does not know.
func (c *Config) checkNeeds(at yamldoc.Cursor, p *preset) {
	if c.Preset == "" {
		if c.URL.IsZero() {
			at.Field("url").Fault("is missing")
		}
		if c.Body.node == nil && !c.Body.faulty {
			at.Field("body").Fault("is missing: write the request's body, or a preset: %s", strings.Join(Presets(), ", "))
		}
	}
	has := map[string]bool{"url": !c.URL.IsZero(), "token": !c.Token.IsZero(), "chat": c.Chat != "", "topic": !c.Topic.IsZero()}
	for _, name := range []string{"url", "token", "chat", "topic"} {
		needed := p != nil && slices.Contains(p.needs, name)
		switch {
		case needed && !has[name]:
			at.Field(name).Fault("is missing: the preset %s needs it", p.name)
		case has[name] && (name == "chat" || name == "topic") && !needed && (p != nil || c.Preset == ""):
			at.Field(name).Fault("is only for the preset %s", map[string]string{"chat": "telegram", "topic": "ntfy"}[name])
		}
	}
}

var (
	chatForm = regexp.MustCompile(`^(-?[0-9]+|@[A-Za-z0-9_]+)$`)
	botToken = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)
	anyToken = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`) // RFC 6750, 2.1
)

// checkToken returns an error, without the token, unless it has a token's form.
func checkToken(preset, token string) error {
	switch {
	case preset == telegram.name && !botToken.MatchString(token):
		return errors.New("is not a bot's token, such as 123456:AAF…: copy it from @BotFather")
	case !anyToken.MatchString(token) && preset != telegram.name:
		return errors.New("contains a character that no token has")
	}
	return nil
}

func (c *Config) checkBody(at yamldoc.Cursor) {
	switch body := c.Body.node; c.Encoding {
	case "", "json":
	case "form":
		if body != nil && !body.isFlat() {
			at.Field("body").Fault("is not a flat mapping of names to texts, as a form needs")
		}
	case "text":
		if body != nil && !body.isScalar() {
			at.Field("body").Fault("is not a single text, as the encoding text needs")
		}
	}
	if c.Encoding != "" && c.Body.node == nil && c.Preset != "" {
		at.Field("encoding").Fault("has no effect without body: the preset %s has its own", c.Preset)
	}
}

// checkClear reports what would travel unencrypted.
func (c *Config) checkClear(at yamldoc.Cursor, u *url.URL) {
	switch {
	case !httpsend.IsClear(u) || c.Insecure:
	case c.hasCredentials(u):
		at.Fault("%v", errClear)
	default:
		at.Warn("begins with http://: alerts travel in the clear; use https://, or set insecure: true")
	}
}

var errClear = errors.New("begins with http://: credentials would travel in the clear; use https://, or set insecure: true if the network is trusted")

// isCredential reports whether whoever knows the URL can send: that of a preset without
// credentials besides it.
func (c *Config) isCredential() bool {
	return slices.Contains([]string{discord.name, googleChat.name, mattermost.name, teams.name}, c.Preset)
}

// hasCredentials reports whether requests contain something secret.
func (c *Config) hasCredentials(u *url.URL) bool {
	return len(c.Headers) > 0 || !c.Token.IsZero() || u.RawQuery != "" || c.isCredential()
}
