package pagerduty

import (
	"fmt"
	"net/url"
	"regexp"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures a PagerDuty channel.
type Config struct {
	// RoutingKey is the integration key of an Events API v2 integration.
	RoutingKey secret.String `yaml:"routing_key"`
	// URL is the Events API; default: https://events.pagerduty.com/v2/enqueue. The EU region has another host.
	URL string `yaml:"url"`
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

const defaultURL = "https://events.pagerduty.com/v2/enqueue"

var keyForm = regexp.MustCompile(`^[A-Za-z0-9]{32}$`)

// Authorities returns the path of the CA file; empty: none.
func (c Config) Authorities() string { return c.CA }

// Destination is the API's host.
func (c Config) Destination() string {
	u, err := c.endpoint()
	if err != nil {
		return ""
	}
	return "PagerDuty at " + u.Host
}

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	switch key := c.RoutingKey.Reveal(); {
	case c.RoutingKey.IsZero():
		at.Field("routing_key").Fault("is missing: it is the integration key of an Events API v2 integration of the service")
	case key != "" && !keyForm.MatchString(key): // an unresolved reference is reported already
		at.Field("routing_key").Fault("%v", checkKey(key))
	}
	if _, err := c.endpoint(); err != nil {
		at.Field("url").Fault("%v", err)
	}
	httpsend.CheckConnection(at, &c.CA, c.Proxy)
}

// endpoint returns the URL of the API.
func (c *Config) endpoint() (*url.URL, error) {
	text := c.URL
	if text == "" {
		text = defaultURL
	}
	u, err := httpsend.ParseURL(text)
	if err == nil && httpsend.IsClear(u) && !c.Insecure {
		err = fmt.Errorf("begins with http://: the routing key would travel in the clear; use https://, or set insecure: true if the network is trusted")
	}
	return u, err
}

// checkKey returns an error, without the key, unless it has the form of one.
func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return fmt.Errorf("has %d characters and is not an integration key, which has 32 letters and digits: copy it from the service's integration Events API v2", len(key))
	}
	return nil
}
