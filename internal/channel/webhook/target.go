package webhook

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// target is where to post, with which headers and signature: the values of a
// configuration's secrets.
type target struct {
	url     *url.URL
	headers map[string]string
	signers []*standard.Webhook // empty: unsigned
	values  string              // of the secrets, to detect changes
}

// newTarget reads the current values of the secrets.
func newTarget(config Config) (*target, error) {
	t := &target{headers: make(map[string]string, len(config.Headers)), values: config.current()}
	var err error
	if t.url, err = checkURL(config.URL.Current()); err != nil {
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

// current returns the current values of all secrets as one text.
func (c *Config) current() string {
	values := []string{c.URL.Current()}
	for _, s := range c.Secret {
		values = append(values, s.Current())
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		values = append(values, c.Headers[name].Current())
	}
	return strings.Join(values, "\x00")
}

// targets reads the secrets again for every post. Invalid values, such as a
// half-written file, are logged once and the last valid target is used.
type targets struct {
	config Config

	mu       sync.Mutex
	log      *slog.Logger
	valid    *target
	rejected string // invalid values that were logged
}

func (s *targets) current() *target {
	values := s.config.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	if values == s.valid.values || values == s.rejected {
		return s.valid
	}
	t, err := newTarget(s.config)
	if err != nil {
		s.rejected = values
		s.log.Warn("new webhook secrets are invalid, still using the previous ones", "err", err)
		return s.valid
	}
	s.valid, s.rejected = t, ""
	s.log.Info("webhook secrets changed")
	return t
}
