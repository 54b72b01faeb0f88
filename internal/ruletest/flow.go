package ruletest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

func flowMapping(values []value) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = v.name + ": " + v.flow
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

func flowList(texts []string) string {
	parts := make([]string, len(texts))
	for i, text := range texts {
		parts[i] = flow(text)
	}
	return list(parts)
}

// plainText matches texts that YAML reads as themselves.
var plainText = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_ ./%-]*[A-Za-z0-9_./%-])?$`)

// flow returns a text as it is written in YAML.
func flow(text string) string {
	if plainText.MatchString(text) && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off"}, strings.ToLower(text)) {
		return text
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // a string has JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}
