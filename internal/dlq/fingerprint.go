package dlq

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/outcome"
)

// Fingerprint groups entries that failed alike: eight hexadecimal digits over reason,
// scope, cause, channel and the detail without varying parts, but not the rule: one fault
// of a channel concerns the alerts of many rules. Of an entry that was read it is the
// written one, so that groups survive an upgrade.
func (e *Entry) Fingerprint() string {
	if e.fingerprint != "" {
		return e.fingerprint
	}
	detail := normalise(e.Detail)
	if e.Cause == outcome.Schema { // path and keyword, in which nothing varies
		detail = e.Detail
	}
	text := strings.Join([]string{string(e.Reason), string(e.Scope), string(e.Cause), e.Envelope.Channel, detail}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// isFingerprint reports whether a notifier may have written it.
func isFingerprint(s string) bool {
	return len(s) >= 8 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// varying matches what differs between equal failures: addresses, quoted texts, and
// words with digits such as ids, hosts, offsets and times; and status codes, which
// normalise keeps.
var varying = regexp.MustCompile(`HTTP \d{3}\b|\S+@\S+|"[^"]*"|'[^']*'|[\pL\d_.:/-]*\d[\pL\d_.:/-]*`)

func normalise(detail string) string {
	return varying.ReplaceAllStringFunc(detail, func(s string) string {
		if strings.HasPrefix(s, "HTTP ") {
			return s
		}
		return "#"
	})
}
