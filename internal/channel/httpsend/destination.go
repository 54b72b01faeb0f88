package httpsend

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// ParseURL parses the URL of a destination, without its fragment. Its errors do not
// contain the URL, which may be secret.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with https:// or http://")
	case u.Host == "":
		return nil, errors.New("has no host")
	case u.User != nil:
		return nil, errors.New("contains a user: set the header Authorization instead")
	}
	u.Fragment = ""
	return u, nil
}

// Shown returns a URL without path and query, which may be secret: https://host/….
func Shown(u *url.URL) string { return fmt.Sprintf("%s://%s/…", u.Scheme, u.Host) }

// IsClear reports whether requests to u travel unencrypted to another host.
func IsClear(u *url.URL) bool { return u.Scheme != "https" && !egress.IsLocal(u.Hostname()) }

// IsHeaderName reports whether name is a token (RFC 9110, 5.6.2).
func IsHeaderName(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	}) < 0
}

// CheckConnection reports faults of the keys ca and proxy below at. It makes the path
// in *ca absolute.
func CheckConnection(at yamldoc.Cursor, ca *string, proxy secret.String) {
	if _, err := egress.NewProxy(proxy.Reveal()); err != nil {
		at.Field("proxy").Fault("%v", err)
	}
	if *ca == "" {
		return
	}
	if !filepath.IsAbs(*ca) {
		*ca = filepath.Join(at.Dir(), *ca)
	}
	if _, err := egress.OpenRoots(*ca); err != nil {
		at.Field("ca").Fault("%v", err)
	}
}

// Open returns New's client for the settings ca and proxy of a channel.
func Open(connections int, ca string, proxy secret.String, redactor *secret.Redactor) (*Client, error) {
	roots, err := egress.OpenRoots(ca)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	via, err := egress.NewProxy(proxy.Reveal())
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return New(connections, roots, via, redactor), nil
}
