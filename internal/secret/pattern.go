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

// Minimum lengths in bytes.
const (
	shortest     = 4 // of a pattern
	inWords      = 8 // of a pattern that is also found inside words
	inBase64Text = 6 // of a secret that is also found inside longer base64
	shortestPath = 6 // of a URL's path and query that are hidden
)

// pattern is a text to search for.
type pattern struct {
	text string // folded, see fold
	word bool   // match only whole words
	wide bool   // part of base64, all of which is hidden
}

// patterns returns the patterns of the secrets.
func patterns(secrets []string) []pattern {
	var all []pattern
	seen := make(map[pattern]bool)
	add := func(n pattern) {
		if n.text = fold(n.text); len(n.text) >= shortest && !seen[n] {
			seen[n] = true
			all = append(all, n)
		}
	}
	for _, s := range secrets {
		for _, part := range parts(s) {
			for _, text := range append(plain(part), part) {
				add(pattern{text: text, word: len(text) < inWords})
			}
			for _, p := range encoded(part) {
				add(p)
			}
		}
	}
	return all
}

// parts returns a secret and its parts that are secret alone: path, user and
// parameters of a URL, the credentials of an Authorization header.
func parts(s string) []string {
	all := []string{s}
	for _, prefix := range []string{"whsec_", "raw:"} { // of a webhook's secret: see webhook.Config
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			all = append(all, rest)
		}
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

// scheme reports whether a word is an authentication scheme (RFC 9110, 11.1).
func scheme(word string) bool {
	return slices.Contains([]string{"basic", "bearer", "token", "apikey", "splunk", "genie", "digest"}, strings.TrimSuffix(strings.ToLower(word), ":"))
}

// basicParts returns user:password and the password of Basic credentials (RFC 7617).
func basicParts(credentials string) []string {
	text, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return nil
	}
	_, password, _ := strings.Cut(string(text), ":")
	return []string{string(text), password}
}

// secretParameter are names of URL parameters whose values are always secret.
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

// keyLike reports whether s looks like a key and not like a word.
func keyLike(s string) bool {
	const short, long = 8, 24
	if len(s) < short {
		return false
	}
	digit := strings.ContainsAny(s, "0123456789")
	mixed := strings.IndexFunc(s[1:], unicode.IsUpper) >= 0 && strings.IndexFunc(s, unicode.IsLower) >= 0
	return digit || mixed || len(s) >= long
}

// plain returns the text after each level of resolving its escapes.
func plain(s string) []string {
	var all []string
	for v := newView(s); v.resolve(); {
		all = append(all, string(v.text))
	}
	return all
}

// encoded returns the base64 of a text and of its escaped forms, in both alphabets
// and for each alignment in a longer text.
func encoded(s string) []pattern {
	var all []pattern
	if len(s) < inBase64Text { // too short to find inside longer base64
		b := []byte(s)
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding} {
			all = append(all, pattern{text: e.EncodeToString(b), word: true})
		}
		return all
	}
	forms := []string{s, quoted(s), url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s)}
	slices.Sort(forms)
	for _, form := range slices.Compact(forms) {
		for shift := range 3 {
			for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				text := e.EncodeToString(append(make([]byte, shift), form...))
				// Omit the characters that depend on the neighbouring bytes.
				first, end := (8*shift+5)/6, 8*(shift+len(form))/6
				all = append(all, pattern{text: text[first:end], wide: true})
			}
		}
	}
	return all
}

// quoted returns a text as the content of a JSON string.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}
