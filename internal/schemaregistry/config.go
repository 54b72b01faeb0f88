package schemaregistry

import (
	"net/url"
	"time"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures the schema registry.
type Config struct {
	// URLs are the registry's instances; the next is asked if one cannot be reached.
	// Empty: there is no registry, and only JSON is read.
	URLs []string `yaml:"urls"`
	// Username for basic authentication, such as the key of an API key.
	Username secret.String `yaml:"username"`
	// Password for basic authentication, such as the secret of an API key.
	Password secret.String `yaml:"password"`
	// Token logs in as a bearer instead.
	Token secret.String `yaml:"token"`
	// CA is a PEM file with certificates to trust instead of the system's. It is read for
	// every connection.
	CA string `yaml:"ca"`
	// Proxy is the URL of a proxy, or none; empty: that of the environment.
	Proxy secret.String `yaml:"proxy"`
	// Insecure allows a login over http:// to other hosts.
	Insecure bool `yaml:"insecure"`
	// Timeout bounds one request, 100 ms to 1 min.
	Timeout time.Duration `yaml:"timeout"`
}

// Bounds of Config.Timeout.
const (
	defaultTimeout = 5 * time.Second
	minTimeout     = 100 * time.Millisecond
	maxTimeout     = time.Minute
)

// Defaults returns the default configuration: no registry.
func Defaults() Config { return Config{Timeout: defaultTimeout} }

// Enabled reports whether there is a registry.
func (c *Config) Enabled() bool { return len(c.URLs) > 0 }

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if len(c.URLs) == 0 && at.Has("urls") {
		at.Field("urls").Fault("is empty: name the registry's URL, or leave schema_registry out")
	}
	basic, bearer := !c.Username.IsZero() || !c.Password.IsZero(), !c.Token.IsZero()
	for _, text := range c.URLs {
		u, err := httpsend.ParseURL(text)
		switch {
		case err != nil && err.Error() == "contains a user: set the header Authorization instead":
			at.Field("urls").Fault("contains a user: set username and password instead")
		case err != nil:
			at.Field("urls").Fault("%v", err)
		case u.RawQuery != "":
			at.Field("urls").Fault("contains a query")
		case (basic || bearer) && httpsend.IsClear(u) && !c.Insecure:
			at.Field("urls").Fault("begins with http://: the login would travel in the clear; use https://, or set insecure: true if the network is trusted")
		}
	}
	if c.Username.IsZero() != c.Password.IsZero() {
		at.Fault("username and password belong together")
	}
	if basic && bearer {
		at.Field("token").Fault("is set besides username and password: set one login")
	}
	if c.Timeout < minTimeout || c.Timeout > maxTimeout {
		at.Field("timeout").Fault("%s is not between %s and %s", duration.Text(c.Timeout), duration.Text(minTimeout), duration.Text(maxTimeout))
	}
	httpsend.CheckConnection(at, &c.CA, c.Proxy)
}

// name is the registry for people: the hosts.
func (c *Config) name() string {
	name := "schema registry"
	for i, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if i > 0 {
			name += ","
		}
		name += " " + u.Host
	}
	return name
}
