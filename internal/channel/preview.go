package channel

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Previewer is a channel that can show what it would send.
type Previewer interface {
	// Preview renders a message as Send does, without any effect.
	Preview(m Message) (Preview, error)
}

// Preview is what a channel would send for a message, without addresses and secrets.
type Preview struct {
	// Parts are the requests or the parts of a mail, in order.
	Parts   []Part   `json:"parts"`
	Lengths []Length `json:"lengths"`
	// Requests are what a channel over HTTP would send, byte for byte but for the secrets.
	Requests []Request `json:"requests,omitempty"`
	// Textless: what is sent has none of the alert's texts, since it only ends an incident.
	Textless bool `json:"-"`
}

// Part is a request's body or a part of a mail.
type Part struct {
	Name    string `json:"name"` // such as chat.postMessage, subject, text or html
	Content string `json:"content"`
}

// Request is an HTTP request.
type Request struct {
	Method  string            `json:"method"`
	Host    string            `json:"host"` // the rest of the URL may be a secret
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// HeaderText returns the headers as they are sent, one a line, sorted by name.
func (r *Request) HeaderText() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		b.WriteString(name + ": " + r.Headers[name] + "\n")
	}
	return b.String()
}

// Length is how long a text is, and how long it may be.
type Length struct {
	Of    string `json:"of"`
	Is    int    `json:"is"`
	Limit int    `json:"limit"` // 0: none
	Unit  string `json:"unit"`  // characters or bytes
}

// Readable returns JSON that encoding/json wrote, indented and with <, > and & as
// themselves.
func Readable(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body)
	}
	s, plain := b.String(), strings.Builder{}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			plain.WriteByte(s[i])
			continue
		}
		escaped := false
		for code, char := range map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'} {
			if strings.HasPrefix(s[i:], code) {
				plain.WriteByte(char)
				i += len(code) - 1
				escaped = true
			}
		}
		if !escaped {
			plain.WriteString(s[i : i+2])
			i++
		}
	}
	return plain.String()
}
