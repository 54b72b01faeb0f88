package secret

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
)

// kind is a well-known kind of credential.
type kind struct {
	literal string                  // part of every match, to skip most texts
	regexp  *regexp.Regexp          // its groups are kept
	confirm func(match string) bool // nil: every match is a credential
}

var kinds = []kind{
	{literal: "xox", regexp: regexp.MustCompile(`()\bxox[a-z]-[A-Za-z0-9-]{6,}`)},                                        // Slack
	{literal: "xapp-", regexp: regexp.MustCompile(`()\bxapp-[A-Za-z0-9-]{6,}`)},                                          // Slack
	{literal: "hooks.slack.com", regexp: regexp.MustCompile(`(hooks\.slack\.com/[a-z]+/)[^\s"'…/]+/[^\s"'…/]+[^\s"']*`)}, // its webhooks
	{literal: "/bot", regexp: regexp.MustCompile(`(/bot[0-9]+:)[A-Za-z0-9_-]{6,}`)},                                      // Telegram's URLs
	{literal: "/api/webhooks/", regexp: regexp.MustCompile(`(/api/webhooks/[0-9]+/)[A-Za-z0-9_-]{6,}`)},                  // Discord's webhooks
	{literal: "whsec_", regexp: regexp.MustCompile(`()\bwhsec_[A-Za-z0-9+/=]+`)},                                         // Standard Webhooks
	{literal: "earer", regexp: regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}`), confirm: isToken},
	{literal: "asic", regexp: regexp.MustCompile(`(?i)(\bbasic\s+)[A-Za-z0-9+/_-]{6,}={0,2}`), confirm: isBasic},
	{literal: "://", regexp: regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'@]+(@)`)}, // user and password in a URL
	{literal: "=", regexp: regexp.MustCompile(`(?i)([?&](?:access_)?(?:token|key|api_?key|sig|signature|secret|password)=)[^\s&"']+`)},
	{literal: "PRIVATE KEY", regexp: regexp.MustCompile(`()-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----`)},
}

// isToken reports whether the text after "bearer" is a token and not a word.
func isToken(match string) bool {
	return strings.IndexFunc(strings.TrimRight(strings.Fields(match)[1], ".-"), func(r rune) bool { return !unicode.IsLetter(r) }) >= 0
}

// isBasic reports whether the text after "basic" is credentials and not words.
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

// redactKinds redacts credentials of well-known kinds.
func redactKinds(s string) string {
	for _, k := range kinds {
		if !strings.Contains(s, k.literal) {
			continue
		}
		if k.confirm == nil {
			s = k.regexp.ReplaceAllString(s, "${1}"+Hidden+"${2}")
			continue
		}
		s = k.regexp.ReplaceAllStringFunc(s, func(match string) string {
			if !k.confirm(match) {
				return match
			}
			return k.regexp.ReplaceAllString(match, "${1}"+Hidden+"${2}")
		})
	}
	return s
}
