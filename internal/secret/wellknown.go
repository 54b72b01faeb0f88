package secret

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
)

// kind is what credentials of one well-known kind look like, wherever they are
// from. What the first and the second group match is kept.
type kind struct {
	sign    string // in every one of them, so that most texts are done with quickly
	pattern *regexp.Regexp
	is      func(match string) bool // nil: each match is one
}

var kinds = []kind{
	{sign: "xox", pattern: regexp.MustCompile(`()\bxox[a-z]-[A-Za-z0-9-]{6,}`)},                                        // Slack
	{sign: "xapp-", pattern: regexp.MustCompile(`()\bxapp-[A-Za-z0-9-]{6,}`)},                                          // Slack
	{sign: "hooks.slack.com", pattern: regexp.MustCompile(`(hooks\.slack\.com/[a-z]+/)[^\s"'…/]+/[^\s"'…/]+[^\s"']*`)}, // its webhooks
	{sign: "whsec_", pattern: regexp.MustCompile(`()\bwhsec_[A-Za-z0-9+/=]+`)},                                         // Standard Webhooks
	{sign: "earer", pattern: regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}`), is: isToken},
	{sign: "asic", pattern: regexp.MustCompile(`(?i)(\bbasic\s+)[A-Za-z0-9+/_-]{6,}={0,2}`), is: isBasic},
	{sign: "://", pattern: regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'@]+(@)`)}, // user and password in a URL
	{sign: "=", pattern: regexp.MustCompile(`(?i)([?&](?:access_)?(?:token|key|api_?key|sig|signature|secret|password)=)[^\s&"']+`)},
	{sign: "PRIVATE KEY", pattern: regexp.MustCompile(`()-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----`)},
}

// isToken tells a token from the word after "bearer".
func isToken(match string) bool {
	return strings.IndexFunc(strings.TrimRight(strings.Fields(match)[1], ".-"), func(r rune) bool { return !unicode.IsLetter(r) }) >= 0
}

// isBasic tells credentials from the words after "basic".
func isBasic(match string) bool {
	fields := strings.Fields(match)
	coded := strings.TrimRight(fields[len(fields)-1], "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if text, err := e.DecodeString(coded); err == nil && strings.Contains(string(text), ":") {
			return true
		}
	}
	return false
}

// wellKnown takes out what looks like a credential.
func wellKnown(s string) string {
	for _, k := range kinds {
		if !strings.Contains(s, k.sign) {
			continue
		}
		if k.is == nil {
			s = k.pattern.ReplaceAllString(s, "${1}"+Hidden+"${2}")
			continue
		}
		s = k.pattern.ReplaceAllStringFunc(s, func(match string) string {
			if !k.is(match) {
				return match
			}
			return k.pattern.ReplaceAllString(match, "${1}"+Hidden+"${2}")
		})
	}
	return s
}
