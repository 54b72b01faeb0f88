package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// SASL configures authentication. With OAUTHBEARER the password is the token.
// Secrets from files are read for every connection, so that they can change.
type SASL struct {
	// Mechanism of the login.
	Mechanism string `yaml:"mechanism"`
	// Username of the login; not with OAUTHBEARER.
	Username secret.String `yaml:"username"`
	// Password of the login; with OAUTHBEARER the token.
	Password secret.String `yaml:"password"`
	// Insecure allows password or token without TLS to other hosts.
	Insecure bool `yaml:"insecure"`
}

var mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"}

// CheckYAML implements yamldoc.Checker.
func (s *SASL) CheckYAML(at yamldoc.Cursor) {
	if s.Mechanism == "" {
		if s.Insecure {
			at.Field("insecure").Warn("has no effect without mechanism")
		}
		if !s.Username.IsZero() || !s.Password.IsZero() {
			at.Field("mechanism").Fault("is missing: use one of %s", strings.Join(mechanisms, ", "))
		}
		return
	}
	if _, err := s.mechanism(); err != nil {
		at.Field("mechanism").Fault("%v", err)
		return
	}
	switch oauth := s.Mechanism == "OAUTHBEARER"; {
	case oauth && !s.Username.IsZero():
		at.Field("username").Fault("is not used with OAUTHBEARER, whose token names the user: remove it")
	case !oauth && s.Username.IsZero():
		at.Field("username").Fault("is missing")
	}
	if s.Password.IsZero() {
		at.Field("password").Fault("is missing")
	}
}

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	user, password := s.Username, s.Password
	switch s.Mechanism {
	case "PLAIN":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: user.Current(), Pass: password.Current()}, nil
		}), nil
	case "SCRAM-SHA-256":
		return scram.Sha256(func(context.Context) (scram.Auth, error) {
			return scram.Auth{User: user.Current(), Pass: password.Current()}, nil
		}), nil
	case "SCRAM-SHA-512":
		return scram.Sha512(func(context.Context) (scram.Auth, error) {
			return scram.Auth{User: user.Current(), Pass: password.Current()}, nil
		}), nil
	case "OAUTHBEARER":
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			return oauth.Auth{Token: password.Current()}, nil
		}), nil
	}
	meant := strings.ToUpper(s.Mechanism)
	if !slices.Contains(mechanisms, meant) {
		meant = suggest.Closest(meant, mechanisms)
	}
	if meant != "" {
		return nil, fmt.Errorf("%q is unknown: did you mean %s?", s.Mechanism, meant)
	}
	return nil, errors.New("is unknown: use one of " + strings.Join(mechanisms, ", "))
}
