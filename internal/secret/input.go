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

// RedactInput returns a text, which repeats what a person wrote into a file,
// without what may be a credential that stands in the wrong place. Beside those
// of well-known kinds these are long runs of base64 and hexadecimal digits. It
// would rather hide a word that is none.
func RedactInput(text string) string {
	text = userInfo.ReplaceAllString(Redact(text), Hidden+"$1")
	text = bearer.ReplaceAllString(text, "${1}"+Hidden)
	text = hook.ReplaceAllString(text, "${1}"+Hidden)
	text = jwt.ReplaceAllString(text, Hidden)
	text = hex.ReplaceAllString(text, Hidden)
	return opaque.ReplaceAllStringFunc(text, func(run string) string {
		// Keys are mixed. Paths, and names of words, are not.
		mixed := strings.ContainsAny(run, "0123456789") && strings.ToLower(run) != run && strings.ToUpper(run) != run
		if path := strings.HasPrefix(run, "/"); !mixed || path {
			return run
		}
		return Hidden
	})
}

var sensitive = regexp.MustCompile(`(?i)(secret|token|passw|pwd|credential|api_?key|private_?key|authorization|cookie)`)

// IsSensitive reports whether a key of a file, a header or a variable is called
// as those are that hold secrets.
func IsSensitive(name string) bool { return sensitive.MatchString(name) }
