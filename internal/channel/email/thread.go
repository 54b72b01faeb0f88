package email

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// maxTopic is the longest Thread-Topic, in runes.
const maxTopic = 100

// setThread sets the headers by which mail clients join mails to threads: References
// and In-Reply-To name a virtual root of the rule's group and one of its alert key, which
// are never sent, and the first mail about what the alert is about. So all mails of a
// group are one thread, and what is resolved is in the thread of its alert although the
// event that resolves it has another group. A digest is about a group.
//
// Outlook looks at Thread-Index: a byte that is 1, five bytes of a time and 16 of the
// thread's id ([MS-OXOMSG] 2.2.1.3, PidTagConversationIndex).
func setThread(msg *gomail.Msg, m channel.Message, domain string) {
	a := &m.Alert
	group := root(a.Rule, a.GroupParts())
	ids := []string{"<thread." + hex.EncodeToString(group) + "@" + domain + ">"}
	if m.Digest == nil {
		ids = append(ids, "<thread."+hex.EncodeToString(root(a.Rule, a.Key))+"@"+domain+">")
		if messageID.MatchString(m.Opened) {
			ids = append(ids, m.Opened)
		}
	}
	ids = slices.Compact(ids)
	msg.SetGenHeader(gomail.HeaderReferences, strings.Join(ids, " "))
	msg.SetGenHeader(gomail.HeaderInReplyTo, ids[len(ids)-1])
	msg.SetGenHeader("Thread-Topic", literal(clipRunes(alert.Visible(strings.TrimSpace(a.Rule+" "+strings.Join(a.GroupParts(), "/"))), maxTopic)))
	anyTime := []byte{1, 0xda, 0x3c, 0x42, 0, 0}
	msg.SetGenHeader("Thread-Index", base64.StdEncoding.EncodeToString(append(anyTime, group...)))
}

// messageID matches a Message-ID, which comes from a topic.
var messageID = regexp.MustCompile(`^<[!-;=?-~]{3,250}>$`)

// root identifies the thread of a rule and parts of a key.
func root(rule string, parts []string) []byte {
	sum := sha256.Sum256([]byte(rule + "\x00" + strings.Join(parts, "\x00")))
	return sum[:16]
}
