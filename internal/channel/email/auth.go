package email

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

// mechanism is a SASL mechanism and its name in the configuration.
type mechanism struct {
	sasl, name string
	plaintext  bool // sends the password itself
	explicit   bool // used only when configured
	start      func(l *login) smtp.Auth
}

// mechanisms in order of preference. CRAM-MD5 comes after PLAIN: it requires
// that the server stores clear-text passwords.
var mechanisms = []mechanism{
	{sasl: "SCRAM-SHA-256", name: "scram", start: func(l *login) smtp.Auth { return smtp.ScramSHA256Auth(l.credentials()) }},
	{sasl: "SCRAM-SHA-1", name: "scram", start: func(l *login) smtp.Auth { return smtp.ScramSHA1Auth(l.credentials()) }},
	{sasl: "PLAIN", name: "plain", plaintext: true, start: func(l *login) smtp.Auth {
		user, password := l.credentials()
		return smtp.PlainAuth("", user, password, l.host, l.config.mayBeClear())
	}},
	{sasl: "LOGIN", name: "login", plaintext: true, start: func(l *login) smtp.Auth {
		user, password := l.credentials()
		return smtp.LoginAuth(user, password, l.host, l.config.mayBeClear())
	}},
	{sasl: "CRAM-MD5", name: "cram-md5", start: func(l *login) smtp.Auth { return smtp.CRAMMD5Auth(l.credentials()) }},
	{sasl: "XOAUTH2", name: "xoauth2", plaintext: true, explicit: true, start: func(l *login) smtp.Auth {
		return smtp.XOAuth2Auth(l.credentials())
	}},
}

func authNames() []string {
	names := []string{authAuto}
	for _, m := range mechanisms {
		if !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return append(names, authNone)
}

// errMechanism means that the server offers no configured mechanism.
var errMechanism = errors.New("no common authentication mechanism")

// login is an smtp.Auth that chooses a mechanism. go-mail's own choice falls
// back to weaker mechanisms than configured and prefers NTLM to PLAIN.
type login struct {
	config    *Config
	host      string
	encrypted bool // go-mail does not see TLS below limitedConn
	smtp.Auth
}

// credentials reads the secrets again, so that they can change.
func (l *login) credentials() (user, password string) {
	return l.config.Username.Current(), l.config.Password.Current()
}

// Start implements smtp.Auth.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	server = &smtp.ServerInfo{Name: server.Name, TLS: server.TLS || l.encrypted, Auth: server.Auth}
	plaintext := server.TLS || l.config.mayBeClear()
	for _, m := range mechanisms {
		switch {
		case !slices.ContainsFunc(server.Auth, func(s string) bool { return strings.EqualFold(s, m.sasl) }):
		case m.name != l.config.Auth && (l.config.Auth != authAuto || m.explicit):
		case m.plaintext && !plaintext:
		default:
			l.Auth = m.start(l)
			return l.Auth.Start(server)
		}
	}
	return "", nil, fmt.Errorf("%w: configured %s, offered %q", errMechanism, l.config.Auth, slices.DeleteFunc(slices.Clone(server.Auth), notSASL))
}

// Next implements smtp.Auth.
func (l *login) Next(challenge []byte, more bool) ([]byte, error) {
	if more && tooManyRounds(string(challenge)) {
		return nil, errIterations
	}
	return l.Auth.Next(challenge, more)
}

// tooManyRounds reports whether a challenge is SCRAM's first, r=…,s=…,i=N
// (RFC 5802), with N above maxIterations.
func tooManyRounds(challenge string) bool {
	parts := strings.Split(challenge, ",")
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "r=") || !strings.HasPrefix(parts[2], "i=") {
		return false
	}
	n, err := strconv.Atoi(parts[2][len("i="):])
	return err != nil || n > maxIterations
}

// mechanismName matches the names of mechanisms (RFC 4422, 3.1).
var mechanismName = regexp.MustCompile(`^[A-Z0-9_-]{1,20}$`)

// notSASL reports whether name is not a mechanism's name and must not be shown.
func notSASL(name string) bool { return !mechanismName.MatchString(name) }
