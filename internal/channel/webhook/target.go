package webhook

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/secret"
)

// target is where to post, with which headers and signature: the values of a
// configuration's secrets.
type target struct {
	url     *url.URL
	headers map[string]string
	signers []*standard.Webhook // empty: unsigned
}

// newTarget reads the current values of the secrets.
func newTarget(config Config) (*target, error) {
	t := &target{headers: make(map[string]string, len(config.Headers))}
	var err error
	if t.url, err = httpsend.ParseURL(config.URL.Current()); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if t.signers, err = newSigners(config.Secret); err != nil {
		return nil, err
	}
	for name, value := range config.Headers {
		t.headers[name] = value.Current()
		if strings.ContainsAny(t.headers[name], "\r\n\x00") {
			return nil, fmt.Errorf("headers: %s contains a line break", name)
		}
	}
	if problem := config.inTheClear(t.url); problem != "" && !config.Insecure {
		return nil, fmt.Errorf("url: %s", problem)
	}
	return t, nil
}

// secrets returns all secrets of the configuration.
func (c *Config) secrets() []secret.String {
	return slices.Concat([]secret.String{c.URL}, c.Secret, slices.Collect(maps.Values(c.Headers)))
}
