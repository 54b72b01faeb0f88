package secret

import (
	"regexp"
	"strings"
)

var (
	userInfo = regexp.MustCompile(`[^\s/"'@:]+:[^\s/"'@]+(@)`) // user and password in front of a host
	bearer   = regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`)
	hook     = regexp.MustCompile(`(hooks\.slack\.com/)[^\s"']+`)
	hex      = regexp.MustCompile(`\b[0-9a-fA-F]{32,}\b`)
	opaque   = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}={0,2}`)
	jwt      = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*`) // a JSON Web Token
)

// RedactInput redacts a message that quotes a configuration file, where a
// credential may be in the wrong place: credentials of well-known kinds and long
// runs of base64 or hexadecimal digits. It may also hide other words.
func RedactInput(text string) string {
	text = userInfo.ReplaceAllString(Redact(text), Hidden+"$1")
	text = bearer.ReplaceAllString(text, "${1}"+Hidden)
	text = hook.ReplaceAllString(text, "${1}"+Hidden)
	text = jwt.ReplaceAllString(text, Hidden)
	text = hex.ReplaceAllString(text, Hidden)
	return opaque.ReplaceAllStringFunc(text, func(run string) string {
		// Keys mix cases and digits; paths and words do not.
		mixed := strings.ContainsAny(run, "0123456789") && strings.ToLower(run) != run && strings.ToUpper(run) != run
		if path := strings.HasPrefix(run, "/"); !mixed || path {
			return run
		}
		return Hidden
	})
}

var sensitive = regexp.MustCompile(`(?i)(secret|token|passw|pwd|credential|api_?key|private_?key|routing_?key|authorization|cookie)`)

// IsSensitive reports whether the name of a key, header or variable is typical for
// a secret.
func IsSensitive(name string) bool { return sensitive.MatchString(name) }
