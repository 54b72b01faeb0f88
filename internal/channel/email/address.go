package email

import (
	netmail "net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// parseAddress parses a mail address. Its domain becomes ASCII, since only few
// servers accept another one (RFC 5891; SMTPUTF8, RFC 6531).
func parseAddress(text string) (*netmail.Address, error) {
	a, err := netmail.ParseAddress(text)
	if err != nil {
		return nil, err
	}
	at := strings.LastIndexByte(a.Address, '@')
	domain, err := asciiDomain(a.Address[at+1:])
	if err != nil {
		return nil, err
	}
	a.Address = a.Address[:at+1] + domain
	return a, nil
}

// sameAddress reports whether other, whose domain may not be in ASCII, is address.
func sameAddress(address, other string) bool {
	if a, err := parseAddress(other); err == nil {
		other = a.Address
	}
	return strings.EqualFold(address, other)
}

// asciiDomain returns a domain in ASCII, such as xn--bcher-kva.example.
func asciiDomain(domain string) (string, error) {
	if ascii(domain) {
		return domain, nil
	}
	return idna.Lookup.ToASCII(domain)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
