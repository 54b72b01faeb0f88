// Package secret holds values that must never be shown: tokens, passwords,
// URLs that carry a key. A String prints as where it came from, in every way
// Go can print it; only Reveal gives the value.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
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
	if name, ok := strings.CutPrefix(t, "env:"); ok && !variable.MatchString(name) {
		// It may be the secret itself, which nothing shows.
		*s = String{source: "env:" + Hidden}
		return errors.New("env: is followed by the name of an environment variable, in letters, digits and _")
	}
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

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

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

// maxFile is how large a secret's file may be, in bytes. Tokens of some
// providers have a few kilobytes.
const maxFile = 64 << 10

func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read secret: %w", err)
	case len(b) > maxFile:
		return "", fmt.Errorf("secret file %s is larger than %d KiB", path, maxFile>>10)
	}
	value := strings.TrimRight(string(b), "\r\n")
	if value == "" {
		return "", fmt.Errorf("secret file %s is empty", path)
	}
	return value, nil
}

// Current is Reveal for secrets that change: of one from a file it returns what
// the file holds now, or what it held when it last held anything: one that is
// gone or just being written changes nothing.
func (s String) Current() string {
	if s.file == nil {
		return s.value
	}
	if value, err := s.file.read(); err == nil {
		return value
	}
	return s.last()
}

// File returns the absolute path of the file that the secret was read from;
// empty: it is from none, or systemd put it there for this service alone.
func (s String) File() string {
	if s.file == nil || strings.HasPrefix(s.source, "file:"+credentials) {
		return ""
	}
	return s.file.path
}

// IsLiteral reports whether the secret itself stands in the configuration,
// instead of where to find it.
func (s String) IsLiteral() bool { return s.value != "" && s.source == "set" }

// last is Current without looking at the file.
func (s String) last() string {
	if s.file != nil {
		s.file.mu.Lock()
		defer s.file.mu.Unlock()
		return s.file.last
	}
	return s.value
}

// Reveal returns the secret as it was when the configuration was read. Whoever
// sends it takes Current.
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
