package secret

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

const (
	// shortest is below what length, in bytes, a value is not looked for: it
	// would be found in every other word.
	shortest = 4
	// freely is from what length on a value is looked for within words too.
	freely = 8
	// inside is from what length on a value is looked for within longer texts in
	// base64: its own part of them is seven characters at least then.
	inside = 6
	// shortestPath is that of a URL's path with its query that is hidden.
	shortestPath = 6
)

// needle is one thing to look for.
type needle struct {
	text string // folded, see fold
	// word: only where no letter or digit is beside it.
	word bool
	// wide: it is a part of something in base64, all of which is hidden.
	wide bool
}

// needles returns what to look for, given the secrets.
func needles(secrets []string) []needle {
	var all []needle
	seen := make(map[needle]bool)
	add := func(n needle) {
		if n.text = fold(n.text); len(n.text) >= shortest && !seen[n] {
			seen[n] = true
			all = append(all, n)
		}
	}
	for _, s := range secrets {
		for _, part := range parts(s) {
			for _, text := range append(plain(part), part) {
				add(needle{text: text, word: len(text) < freely})
			}
			for _, coded := range encoded(part) {
				add(coded)
			}
		}
	}
	return all
}

// parts returns a secret and those parts of it that others may repeat alone: of
// a URL all but where it leads, of an Authorization header the credentials.
func parts(s string) []string {
	all := []string{s}
	if rest, ok := strings.CutPrefix(s, "whsec_"); ok { // Standard Webhooks: base64 follows
		all = append(all, rest)
	}
	if u, err := url.Parse(s); err == nil && u.Host != "" && u.Scheme != "" {
		all = append(all, urlParts(u)...)
	} else if words := strings.Fields(s); len(words) > 1 {
		for i, w := range words {
			if keyLike(w) || i == 1 && scheme(words[0]) {
				all = append(all, w)
			}
		}
		if strings.EqualFold(words[0], "basic") {
			all = append(all, basicParts(words[1])...)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < shortest })
}

// scheme reports whether a word is an authentication scheme (RFC 9110, 11.1)
// that credentials follow.
func scheme(word string) bool {
	return slices.Contains([]string{"basic", "bearer", "token", "apikey", "splunk", "genie", "digest"}, strings.TrimSuffix(strings.ToLower(word), ":"))
}

// basicParts returns the user with the password, and the password, of
// credentials of the scheme Basic (RFC 7617).
func basicParts(credentials string) []string {
	text, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return nil
	}
	_, password, _ := strings.Cut(string(text), ":")
	return []string{string(text), password}
}

// secretParameter are names of a URL's parameters whose values are secret,
// whatever they look like.
var secretParameter = []string{"token", "access_token", "key", "api_key", "apikey", "sig", "signature", "secret", "password", "code", "auth"}

func urlParts(u *url.URL) []string {
	var all []string
	if p := u.RequestURI(); len(p) >= shortestPath {
		all = append(all, p)
	}
	if u.User != nil {
		all = append(all, u.User.String())
		if p, ok := u.User.Password(); ok {
			all = append(all, p, u.User.Username()+":"+p)
		} else {
			all = append(all, u.User.Username())
		}
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if keyLike(segment) {
			all = append(all, segment)
		}
	}
	for name, values := range u.Query() {
		for _, v := range values {
			if keyLike(v) || slices.Contains(secretParameter, strings.ToLower(name)) {
				all = append(all, v)
			}
		}
	}
	return all
}

// keyLike tells keys from words such as "notifications", which stand in URLs
// too and in much else.
func keyLike(s string) bool {
	const short, long = 8, 24
	if len(s) < short {
		return false
	}
	digit := strings.ContainsAny(s, "0123456789")
	mixed := strings.IndexFunc(s[1:], unicode.IsUpper) >= 0 && strings.IndexFunc(s, unicode.IsLower) >= 0
	return digit || mixed || len(s) >= long
}

// plain returns what a text comes down to when its escapes are resolved, as
// far as that differs from it: they are resolved where it is looked for.
func plain(s string) []string {
	var all []string
	for v := newView(s); v.resolve(); {
		all = append(all, string(v.text))
	}
	return all
}

// encoded returns what is left of a text in base64, in either alphabet, wherever
// in a longer text it begins; and of how it may be escaped before that.
func encoded(s string) []needle {
	var all []needle
	if len(s) < inside { // too little is left: only alone
		b := []byte(s)
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding} {
			all = append(all, needle{text: e.EncodeToString(b), word: true})
		}
		return all
	}
	forms := []string{s, quoted(s), url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s)}
	slices.Sort(forms)
	for _, form := range slices.Compact(forms) {
		for shift := range 3 {
			for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				text := e.EncodeToString(append(make([]byte, shift), form...))
				// Characters that bits of what is before and after go into are not known.
				first, end := (8*shift+5)/6, 8*(shift+len(form))/6
				all = append(all, needle{text: text[first:end], wide: true})
			}
		}
	}
	return all
}

// quoted is a text as it stands in a JSON string.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}
