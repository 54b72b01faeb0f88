package main

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/config"
)

// redactor takes what is secret out of texts that are given to others: the
// values that the configuration and the environment hold, the parts of them
// that others may repeat alone, and whatever looks like a credential.
type redactor struct {
	values   *strings.Replacer
	patterns []*regexp.Regexp
}

const hidden = "[redacted]"

const (
	shortestSecret = 4 // below that a value is no secret, and taking it out would garble the text
	shortestPart   = 8
)

// secretName is what environment variables are called that hold secrets.
var secretName = regexp.MustCompile(`(?i)(secret|token|passw|credential|api_?key|private|webhook|hook_url|dsn|sasl)`)

// credentials is what secrets of well-known kinds look like, wherever they are
// from. What their first and second group match is kept.
var credentials = []*regexp.Regexp{
	regexp.MustCompile(`()\bxox[a-z]-[A-Za-z0-9-]{6,}`),                         // Slack
	regexp.MustCompile(`()\bxapp-[A-Za-z0-9-]{6,}`),                             // Slack
	regexp.MustCompile(`(hooks\.slack\.com/)[^\s"']+`),                          // its webhooks
	regexp.MustCompile(`()\bwhsec_[A-Za-z0-9+/=]+`),                             // Standard Webhooks
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`),     // Authorization
	regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^\s/"'@]+(@)`),                   // user and password in a URL
	regexp.MustCompile(`(?i)([?&](?:token|key|sig|secret|password)=)[^\s&"']+`), // in a query
	regexp.MustCompile(`()-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----`),
}

var userInfo = regexp.MustCompile(`[a-z][a-z0-9+.-]*://([^\s/"'@]+)@`)

// newRedactor returns one that knows the secrets of a configuration, if there
// is one, those of this process's environment, and users with passwords in URLs
// of the files that the configuration is made of.
func newRedactor(l *config.Loaded) *redactor {
	var secrets []string
	if l != nil {
		secrets = l.Secrets()
		for _, name := range []string{l.File, l.RulesFile()} {
			file, _ := os.ReadFile(name) // what cannot be read goes nowhere
			for _, m := range userInfo.FindAllSubmatch(file, -1) {
				_, password, _ := strings.Cut(string(m[1]), ":")
				secrets = append(secrets, string(m[1]), password)
			}
		}
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if secretName.MatchString(name) && len(value) >= shortestPart && !strings.HasPrefix(value, "/") { // "true", and where a secret's file is
			secrets = append(secrets, value)
		}
	}
	var all []string
	for _, s := range secrets {
		all = append(all, forms(s)...)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) }) // the whole before its parts
	var pairs []string
	for _, s := range slices.Compact(all) {
		pairs = append(pairs, s, hidden)
	}
	return &redactor{values: strings.NewReplacer(pairs...), patterns: credentials}
}

// forms are a secret, its parts, and how both may be written.
func forms(secret string) []string {
	whole := []string{secret, strings.TrimPrefix(secret, "whsec_")}
	parts := strings.Fields(secret) // Bearer …
	if u, err := url.Parse(secret); err == nil && u.Host != "" {
		whole = append(whole, u.RequestURI())
		parts = append(parts, strings.Split(u.Path, "/")...)
		for _, values := range u.Query() {
			parts = append(parts, values...)
		}
	}
	whole = slices.DeleteFunc(whole, func(s string) bool { return len(s) < shortestSecret })
	parts = slices.DeleteFunc(parts, func(s string) bool { return len(s) < shortestPart })
	all := append(whole, parts...)
	for _, s := range slices.Clone(all) {
		once := inJSON(s)
		all = append(all, url.QueryEscape(s), url.PathEscape(s), once, inJSON(once), base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return all
}

// inJSON is a text as it stands in a JSON string.
func inJSON(s string) string {
	quoted, _ := json.Marshal(s)
	return string(quoted[1 : len(quoted)-1])
}

// text returns a text without what is secret in it.
func (r *redactor) text(s string) string {
	s = r.values.Replace(s)
	for _, p := range r.patterns {
		s = p.ReplaceAllString(s, "${1}"+hidden+"${2}")
	}
	return s
}
