package webhook

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures a webhook channel.
type Config struct {
	// URL is where alerts are posted. It is secret, since it may contain a key.
	URL secret.String `yaml:"url"`
	// Secret signs the requests, two of them while one replaces the other; empty:
	// unsigned.
	Secret []secret.String `yaml:"secret"`
	// Headers are sent with each request, such as Authorization.
	Headers map[string]secret.String `yaml:"headers"`
	// CA is a PEM file with certificates to trust instead of the system's. It is
	// read for every connection.
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

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	switch {
	case c.URL.IsZero():
		at.Field("url").Fault("is missing")
	case c.URL.Reveal() != "": // an unresolved reference is reported already
		u, err := httpsend.ParseURL(c.URL.Reveal())
		if err != nil {
			at.Field("url").Fault("%v", err)
			break
		}
		c.checkClear(at, u)
	}
	c.checkSecrets(at.Field("secret"))
	for name := range c.Headers {
		switch key := http.CanonicalHeaderKey(name); {
		case !httpsend.IsHeaderName(name):
			at.Field("headers").Field(name).Fault("is not a header name")
		case strings.HasPrefix(key, "Webhook-"), key == "Content-Type", key == "Content-Length", key == "Host", key == "Idempotency-Key",
			key == "Traceparent", key == "Tracestate":
			at.Field("headers").Field(name).Fault("is set by the notifier itself")
		case strings.ContainsAny(c.Headers[name].Reveal(), "\r\n\x00"):
			at.Field("headers").Field(name).Fault("contains a line break")
		}
	}
	httpsend.CheckConnection(at, &c.CA, c.Proxy)
}

func (c *Config) checkSecrets(at yamldoc.Cursor) {
	if c.Secret != nil && len(c.Secret) == 0 {
		at.Fault("lists no secret: name one, or leave the key out")
	}
	if len(c.Secret) > maxSecrets {
		at.Fault("lists %d secrets: list the new one and the old one", len(c.Secret))
	}
	for _, s := range c.Secret {
		if s.Reveal() == "" { // an unresolved reference is reported already
			continue
		}
		switch key, err := decodeKey(s.Reveal()); {
		case err != nil:
			at.Fault("%v", err)
		case len(key) < recommendedKey:
			at.Warn("is a key of %d bytes: Standard Webhooks asks for %d or more", len(key), recommendedKey)
		}
	}
}

// checkClear reports what travels in the clear.
func (c *Config) checkClear(at yamldoc.Cursor, u *url.URL) {
	credentials := c.inTheClear(u)
	switch clear := httpsend.IsClear(u); {
	case c.Insecure && !clear:
		at.Field("insecure").Warn("has no effect: it only allows http:// to other hosts; certificates are always verified")
	case c.Insecure, !clear:
	case credentials != "":
		at.Field("url").Fault("%s", credentials)
	default:
		at.Field("url").Warn("begins with http://: alerts travel in the clear; use https://, or set insecure: true")
	}
}

// inTheClear describes credentials that would travel unencrypted to another
// host; empty: none.
func (c *Config) inTheClear(u *url.URL) string {
	if !httpsend.IsClear(u) {
		return ""
	}
	what := ""
	for name := range u.Query() {
		if secret.IsSensitive(name) || strings.EqualFold(name, "key") || strings.EqualFold(name, "sig") {
			what = "its query"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		// A header from a file or the environment is secret, whatever its name.
		if secret.IsSensitive(name) || strings.Contains(strings.ToLower(name), "key") || !c.Headers[name].IsLiteral() {
			what = "the header " + name
		}
	}
	if what == "" {
		return ""
	}
	return "begins with http://: " + what + " would travel in the clear; use https://, or set insecure: true if the network is trusted"
}
