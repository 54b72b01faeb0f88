// Package secret holds values that must not be shown: tokens, passwords, URLs with
// a key. A String always prints as its source; Reveal and Current return the value.
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
	file   *file // nil: not read from a file
}

// file is the file of a secret. Copies of the String share it.
type file struct {
	path string // absolute

	mu        sync.Mutex
	last      string   // value of the last successful read
	callbacks []func() // called when a read returns another value
}

// onChange registers a function that is called when a read returns another value.
func (f *file) onChange(callback func()) {
	if f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.callbacks = append(f.callbacks, callback)
	}
}

// read returns the current value. If it changed, read calls the callbacks first.
func (f *file) read() (string, error) {
	value, err := read(f.path)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	var callbacks []func()
	if f.last != value {
		f.last, callbacks = value, f.callbacks
	}
	f.mu.Unlock()
	for _, call := range callbacks {
		call()
	}
	return value, nil
}

// New returns a secret with the given value.
func New(value string) String { return String{value: value, source: "set"} }

// UnmarshalText keeps the reference; Resolve reads its value.
func (s *String) UnmarshalText(text []byte) error {
	t := string(text)
	if name, ok := strings.CutPrefix(t, "env:"); ok && !variable.MatchString(name) {
		// The text may be the secret itself: do not show it.
		*s = String{source: "env:" + Hidden}
		return errors.New("env: must be followed by the name of an environment variable: letters, digits and _")
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

// credentials is the prefix of a path in systemd's credentials directory
// (systemd.exec(5), LoadCredential=). No other variable is expanded.
const credentials, credentialsVariable = "${CREDENTIALS_DIRECTORY}/", "CREDENTIALS_DIRECTORY"

// Resolve reads the environment variable or file that the secret refers to. A
// relative path is relative to dir; ${CREDENTIALS_DIRECTORY}/ at its beginning is
// expanded. Line breaks at the end of a file are removed.
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
			directory := os.Getenv(credentialsVariable)
			if directory == "" {
				return fmt.Errorf("%s is not set: systemd sets it for services with LoadCredential=%s:…; for a command, set it to the directory of that file", credentialsVariable, name)
			}
			path = filepath.Join(directory, name)
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

const maxFile = 64 << 10 // bytes

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

// Current returns the value of the secret's file now, or the last one if the file
// is missing or empty. Without a file it is Reveal.
func (s String) Current() string {
	if s.file == nil {
		return s.value
	}
	if value, err := s.file.read(); err == nil {
		return value
	}
	return s.last()
}

// File returns the absolute path of the secret's file; empty: there is none, or it
// is a systemd credential.
func (s String) File() string {
	if s.file == nil || strings.HasPrefix(s.source, "file:"+credentials) {
		return ""
	}
	return s.file.path
}

// IsLiteral reports whether the configuration holds the secret itself and not a
// reference.
func (s String) IsLiteral() bool { return s.value != "" && s.source == "set" }

// last is Current without reading the file.
func (s String) last() string {
	if s.file != nil {
		s.file.mu.Lock()
		defer s.file.mu.Unlock()
		return s.file.last
	}
	return s.value
}

// Reveal returns the value at the time of Resolve. Use Current to send it.
func (s String) Reveal() string { return s.value }

// IsZero reports whether no secret was configured.
func (s String) IsZero() bool { return s.value == "" && s.source == "" }

// String returns the reference (env:NAME, file:PATH) or Hidden, never the value.
func (s String) String() string {
	switch {
	case s.IsZero():
		return ""
	case strings.HasPrefix(s.source, "env:"), strings.HasPrefix(s.source, "file:"):
		return s.source
	default:
		return Hidden
	}
}

// Format makes every verb of fmt print String.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText makes encoders print String.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue makes slog print String.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
