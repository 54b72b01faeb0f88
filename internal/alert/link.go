package alert

import (
	"net/url"
	"strings"
	"unicode"
)

// maxLink limits a link, in bytes.
const maxLink = 2000

// Link returns address if channels may show it as a link, else an empty string. A
// link is http or https, has a host, and has no control, format or space character
// and none of <, > and |, which are markup in Slack.
func Link(address string) string {
	forbidden := func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("<>|", r)
	}
	if len(address) > maxLink || Visible(address) != address || strings.ContainsFunc(address, forbidden) {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return address
}
