package alert

import (
	"net/url"
	"strings"
	"unicode"
)

// maxLink is the longest web address that is drawn, in bytes.
const maxLink = 2000

// Link returns a web address as a channel may draw it, or nothing: a link is
// http or https, names a host, has at most 2,000 bytes, and holds no control,
// format or space character and none of <, > and |, which end a link in Slack
// or begin a mention there. Rules are checked when they are loaded; an alert
// comes from a topic, and may say anything.
func Link(address string) string {
	unfit := func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("<>|", r)
	}
	if len(address) > maxLink || Visible(address) != address || strings.ContainsFunc(address, unfit) {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return address
}
