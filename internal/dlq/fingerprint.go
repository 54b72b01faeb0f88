package dlq

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// Fingerprint groups entries that failed for the same reason: eight hexadecimal
// digits over reason, scope, cause, channel, rule and the detail without what
// differs from one entry to the next. It is the one that was written, so that
// what an older version of the notifier grouped stays together.
func (e *Entry) Fingerprint() string {
	if e.fingerprint != "" {
		return e.fingerprint
	}
	return e.compute()
}

// isFingerprint reports whether a notifier may have written it.
func isFingerprint(s string) bool {
	return len(s) >= 8 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func (e *Entry) compute() string {
	text := strings.Join([]string{
		string(e.Reason), string(e.Scope), string(e.Cause), e.Envelope.Channel, e.Rule(), normalise(e.Detail),
	}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// varying is what names a single case in a detail: addresses, quoted texts,
// and words with digits in them such as ids, hosts, offsets and times. The
// code of an HTTP answer is none: it tells causes apart.
var varying = regexp.MustCompile(`HTTP \d{3}\b|\S+@\S+|"[^"]*"|'[^']*'|[\pL\d_.:/-]*\d[\pL\d_.:/-]*`)

func normalise(detail string) string {
	return varying.ReplaceAllStringFunc(detail, func(s string) string {
		if strings.HasPrefix(s, "HTTP ") {
			return s
		}
		return "#"
	})
}
