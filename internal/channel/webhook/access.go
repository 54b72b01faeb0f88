package webhook

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// access is where to post, and with what: what the secrets of a configuration
// held when they were last read and of use.
type access struct {
	url     *url.URL
	headers map[string]string
	signer  *standard.Webhook // nil: not signed
	from    string            // the secrets' values, to see whether they have changed
}

// newAccess builds it from what the secrets hold now.
func newAccess(config Config) (*access, error) {
	a := &access{headers: make(map[string]string, len(config.Headers)), from: config.current()}
	var err error
	if a.url, err = checkURL(config.URL.Current()); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if !config.Secret.IsZero() {
		if a.signer, err = signer(config.Secret.Current()); err != nil {
			return nil, errors.New("secret: begins with whsec_ and is not base64 after it")
		}
	}
	for name, value := range config.Headers {
		a.headers[name] = value.Current()
		if strings.ContainsAny(a.headers[name], "\r\n\x00") {
			return nil, fmt.Errorf("headers: %s holds a line break", name)
		}
	}
	if what := config.inTheClear(a.url); what != "" && !config.Insecure {
		return nil, fmt.Errorf("url: %s", what)
	}
	return a, nil
}

// current is the values of all secrets, as one text.
func (c *Config) current() string {
	values := []string{c.URL.Current(), c.Secret.Current()}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		values = append(values, c.Headers[name].Current())
	}
	return strings.Join(values, "\x00")
}

// accesses hands out the access that is in force. Secrets are read again for
// every post. Values that cannot be used, such as half a file, leave what was
// in force before, which the log says once.
type accesses struct {
	config Config

	mu       sync.Mutex
	log      *slog.Logger
	held     *access
	unusable string // values that cannot be used, and that was said
}

func (s *accesses) get() *access {
	from := s.config.current()
	s.mu.Lock()
	defer s.mu.Unlock()
	if from == s.held.from || from == s.unusable {
		return s.held
	}
	a, err := newAccess(s.config)
	if err != nil {
		s.unusable = from
		s.log.Warn("changed secrets of the webhook cannot be used, posts take what they were before", "err", err)
		return s.held
	}
	s.held, s.unusable = a, ""
	s.log.Info("secrets of the webhook have changed, posts take what they are now")
	return a
}
