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
// or file:PATH, both also after the scheme of an Authorization header
// (Bearer env:NAME); any other text is the secret itself.
type String struct {
	value  string
	source string
	scheme string // "Bearer " in front of a reference; else empty
	file   *file  // nil: not read from a file
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
func New(value string) String { return String{value: value, source: literal} }

// UnmarshalText keeps the reference; Resolve reads its value.
func (s *String) UnmarshalText(text []byte) error {
	t := string(text)
	scheme, reference := cutScheme(t)
	if name, ok := strings.CutPrefix(reference, "env:"); ok && !variable.MatchString(name) {
		// The text may be the secret itself: do not show it.
		*s = String{source: "env:" + Hidden}
		return errors.New("env: must be followed by the name of an environment variable: letters, digits and _")
	}
	switch {
	case isReference(reference):
		*s = String{source: reference, scheme: scheme}
	case t == "":
		*s = String{}
	case embedded.MatchString(t):
		*s = String{source: Hidden}
		return errors.New("contains a reference inside other text, which is not replaced: write env:NAME or file:PATH alone, or after a scheme such as Bearer")
	default:
		*s = String{value: t, source: literal}
	}
	return nil
}

// literal is the source of a secret that the configuration holds itself.
const literal = "set"

func isReference(source string) bool {
	return strings.HasPrefix(source, "env:") || strings.HasPrefix(source, "file:")
}

// IsReference reports whether the text of a configuration reads a secret from the
// environment or a file.
func IsReference(text string) bool {
	_, reference := cutScheme(text)
	return isReference(reference)
}

// cutScheme returns the scheme in front of a reference, and the rest.
func cutScheme(text string) (scheme, rest string) {
	if m := schemed.FindStringSubmatch(text); m != nil {
		return m[1], m[2]
	}
	return "", text
}

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// schemed matches an authentication scheme in front of a reference.
	schemed = regexp.MustCompile(`^([A-Za-z][A-Za-z-]* )((?:env|file):.*)$`)
	// embedded matches what is meant to be replaced by a value: a reference, or a
	// variable as shells and compose files write it.
	embedded = regexp.MustCompile(`\b(?:env:[A-Za-z_]|file:/)|\$[{(][A-Za-z_][A-Za-z0-9_]*[})]|^(?:[A-Za-z-]+ )?\$[A-Z_][A-Z0-9_]+$`)
)

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
		s.value = s.scheme + v
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
		s.value, s.file = s.scheme+value, &file{path: path, last: value}
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
		return s.scheme + value
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
func (s String) IsLiteral() bool { return s.value != "" && s.source == literal }

// last is Current without reading the file.
func (s String) last() string {
	if s.file != nil {
		s.file.mu.Lock()
		defer s.file.mu.Unlock()
		return s.scheme + s.file.last
	}
	return s.value
}

// Reveal returns the value at the time of Resolve. Use Current to send it.
func (s String) Reveal() string { return s.value }

// IsZero reports whether no secret was configured.
func (s String) IsZero() bool { return s.value == "" && s.source == "" }

// String returns the reference (env:NAME, Bearer file:PATH) or Hidden, never the value.
func (s String) String() string {
	switch {
	case s.IsZero():
		return ""
	case isReference(s.source):
		return s.scheme + s.source
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
