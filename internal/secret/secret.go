// Package secret holds values that must never be shown: tokens, passwords,
// URLs that carry a key. A String prints as where it came from, in every way
// Go can print it; only Reveal gives the value.
package secret

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// String is a secret. The zero value is empty. In YAML it is written env:NAME
// or file:PATH; any other text is the secret itself.
type String struct {
	value  string
	source string
	file   *file // that it was read from; nil: from none
}

// file is where the value of a secret stands. Copies of the String share it.
type file struct {
	path string // absolute

	mu      sync.Mutex
	last    string   // what it was seen to hold
	changed []func() // called when it is seen to hold something else
}

// notify has f called when the file is seen to hold another value.
func (f *file) notify(called func()) {
	if f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changed = append(f.changed, called)
	}
}

// read returns what the file holds now. Who asked to be told of another value is
// told before it is returned.
func (f *file) read() (string, error) {
	value, err := read(f.path)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	same := f.last == value
	f.last = value
	changed := f.changed
	f.mu.Unlock()
	if !same {
		for _, call := range changed {
			call()
		}
	}
	return value, nil
}

// New returns a secret with a known value.
func New(value string) String { return String{value: value, source: "set"} }

// UnmarshalText keeps the reference; Resolve reads what it refers to.
func (s *String) UnmarshalText(text []byte) error {
	t := string(text)
	if strings.HasPrefix(t, "env:") || strings.HasPrefix(t, "file:") {
		*s = String{source: t}
		return nil
	}
	*s = String{value: t}
	if t != "" {
		s.source = "set"
	}
	return nil
}

// credentials is how a path begins that leads to the service's credentials:
// systemd names their directory to the service alone (systemd.exec(5),
// LoadCredential=). No other variable is looked at in a path.
const credentials, credentialsVariable = "${CREDENTIALS_DIRECTORY}/", "CREDENTIALS_DIRECTORY"

// Resolve reads the environment variable or the file that the secret refers
// to; a relative path is relative to dir, and ${CREDENTIALS_DIRECTORY}/ at its
// beginning is where systemd put the service's credentials. A file's last line
// break is not part of the secret. It does nothing for a value that was given
// directly.
func (s *String) Resolve(dir string) error {
	if name, ok := strings.CutPrefix(s.source, "env:"); ok {
		v, ok := os.LookupEnv(name)
		if !ok || v == "" {
			return fmt.Errorf("environment variable %s is not set", name)
		}
		s.value = v
		return nil
	}
	if path, ok := strings.CutPrefix(s.source, "file:"); ok {
		if name, ok := strings.CutPrefix(path, credentials); ok {
			at := os.Getenv(credentialsVariable)
			if at == "" {
				return fmt.Errorf("%s is not set: systemd sets it for a service with LoadCredential=%s:…; for a command, set it to the directory with that file", credentialsVariable, name)
			}
			path = filepath.Join(at, name)
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		value, err := read(path)
		if err != nil {
			return err
		}
		s.value, s.file = value, &file{path: path, last: value}
	}
	return nil
}

func read(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read secret: %w", err)
	}
	value := strings.TrimRight(string(b), "\r\n")
	if value == "" {
		return "", fmt.Errorf("secret file %s is empty", path)
	}
	return value, nil
}

// Current is Reveal for secrets that change: of one from a file it returns what
// the file holds now, or what it held at first, where it cannot be read.
func (s String) Current() string {
	if s.file != nil {
		if value, err := s.file.read(); err == nil {
			return value
		}
	}
	return s.value
}

// last is Current without looking at the file.
func (s String) last() string {
	if s.file != nil {
		s.file.mu.Lock()
		defer s.file.mu.Unlock()
		return s.file.last
	}
	return s.value
}

// Reveal returns the secret itself, for the one place that must send it.
func (s String) Reveal() string { return s.value }

// IsZero reports whether no secret was configured.
func (s String) IsZero() bool { return s.value == "" && s.source == "" }

// String returns where the secret came from (env:NAME, file:PATH) or
// "[redacted]", never its value.
func (s String) String() string {
	switch {
	case s.IsZero():
		return ""
	case strings.HasPrefix(s.source, "env:"), strings.HasPrefix(s.source, "file:"):
		return s.source
	default:
		return "[redacted]"
	}
}

// Format makes every verb of fmt print String.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText makes encoders print String.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue makes slog print String.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
