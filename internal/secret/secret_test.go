package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/secret"
)

func TestSecretPrintsAsItsSource(t *testing.T) {
	t.Setenv("TOKEN", "hunter22")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("hunter22\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, shown := range map[string]string{"env:TOKEN": "env:TOKEN", "file:token": "file:token", "hunter22": "[redacted]", "": ""} {
		var s secret.String
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := s.Resolve(dir); err != nil {
			t.Fatal(err)
		}
		if text != "" && s.Reveal() != "hunter22" {
			t.Errorf("%s is %q", text, s.Reveal())
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S secret.String }{s})
		asJSON, err := json.Marshal(struct{ S secret.String }{s})
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), fmt.Sprintf("%+v", struct{ S secret.String }{s}), log.String(), string(asJSON)} {
			if strings.Contains(out, "hunter22") || strings.Contains(out, "68756e746572") {
				t.Errorf("%s is shown: %s", text, out)
			}
		}
		if fmt.Sprint(s) != shown {
			t.Errorf("%s prints as %s", text, s)
		}
	}
}

func TestUnresolvableReferenceIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"env:NO_SUCH_VARIABLE": "environment variable NO_SUCH_VARIABLE is not set",
		"file:/dev/zero":       "secret file /dev/zero is larger than 64 KiB",
		"file:none":            "cannot read secret: open none: no such file or directory",
	} {
		var s secret.String
		_ = s.UnmarshalText([]byte(text))
		if err := s.Resolve(""); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestCurrentReadsTheFileAgain: it keeps the last value while the file is empty or missing.
func TestCurrentReadsTheFileAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	var s secret.String
	_ = s.UnmarshalText([]byte("file:token"))
	if err := s.Resolve(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	copied := s
	for _, step := range []struct{ text, want string }{{"second\n", "second"}, {"", "second"}, {"third", "third"}, {"\n", "third"}} { // empty: half written
		if write(step.text); s.Current() != step.want {
			t.Errorf("%q: %q, want %q", step.text, s.Current(), step.want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if copied.Current() != "third" || copied.Reveal() != "first" {
		t.Errorf("without the file: %q", copied.Current())
	}
	if given := secret.New("x"); given.Current() != "x" {
		t.Errorf("given: %q", given.Current())
	}
}

// TestSecretAfterEnvIsNotShown: the text after env: may be the secret itself.
func TestSecretAfterEnvIsNotShown(t *testing.T) {
	for _, text := range []string{"env:hunter-22", "env:https://hooks.example.com/x", "env:", "env: TOKEN"} {
		var s secret.String
		err := s.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), "the name of an environment variable") || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", text, err)
		}
		if out := fmt.Sprint(s); out != "env:[redacted]" || s.IsZero() {
			t.Errorf("%s prints as %s", text, out)
		}
	}
}

func TestSchemeBeforeReferenceIsKept(t *testing.T) {
	t.Setenv("TOKEN", "hunter-number-22")
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	if err := os.WriteFile(path, []byte("hunter-number-22\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Bearer env:TOKEN", "GenieKey file:token"} {
		scheme, _, _ := strings.Cut(text, " ")
		var s secret.String
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := s.Resolve(dir); err != nil {
			t.Fatal(err)
		}
		if want := scheme + " hunter-number-22"; s.Reveal() != want || s.Current() != want || fmt.Sprint(s) != text || s.IsLiteral() {
			t.Errorf("%s: %q, now %q, prints as %s", text, s.Reveal(), s.Current(), s)
		}
		if got := secret.NewRedactor(struct{ S secret.String }{s}).Redact("bad key hunter-number-22"); strings.Contains(got, "hunter") {
			t.Errorf("%s without its scheme is shown: %s", text, got)
		}
		if file := s.File(); strings.Contains(text, "file:") {
			if file != path {
				t.Errorf("the file is %q", file)
			}
			if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := s.Current(); got != scheme+" changed" {
				t.Errorf("after a change: %q", got)
			}
		}
	}
}

func TestReferenceInsideTextIsAnError(t *testing.T) {
	for _, text := range []string{
		"${TOKEN}", "Bearer ${TOKEN}", "$TOKEN", "Bearer $TOKEN", "$(cat token)x$(TOKEN)", "https://hooks.example.com/env:hunter_22",
		"https://hooks.example.com/?key=${KEY}", "Bearer  env:TOKEN", "xoxb-env:TOKEN", "token: file:/run/secrets/hunter",
	} {
		var s secret.String
		err := s.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), "write env:NAME or file:PATH alone") || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", text, err)
		}
		if s.Reveal() != "" || s.IsZero() || fmt.Sprint(s) != "[redacted]" {
			t.Errorf("%s: %q, prints as %s", text, s.Reveal(), s)
		}
	}
	for _, text := range []string{"pa$$word", "$2y$10$abcdef", "a$b{c}", "xenv:y", "https://example.com/file:x", "$Recycle", "Basic dXNlcjpw"} {
		var s secret.String
		if err := s.UnmarshalText([]byte(text)); err != nil || s.Reveal() != text {
			t.Errorf("%s: %v, %q", text, err, s.Reveal())
		}
	}
}

// TestSystemdCredentialIsResolved: only ${CREDENTIALS_DIRECTORY} is expanded.
func TestSystemdCredentialIsResolved(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "slack"), []byte("hunter22\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	var s secret.String
	_ = s.UnmarshalText([]byte("file:${CREDENTIALS_DIRECTORY}/slack"))
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if err := s.Resolve(""); err == nil || !strings.HasPrefix(err.Error(), "CREDENTIALS_DIRECTORY is not set: systemd sets it for services with LoadCredential=slack:…") {
		t.Errorf("outside of a service: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if err := s.Resolve("/elsewhere"); err != nil || s.Reveal() != "hunter22" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
	if fmt.Sprint(s) != "file:${CREDENTIALS_DIRECTORY}/slack" {
		t.Errorf("prints as %s", s)
	}
	_ = s.UnmarshalText([]byte("file:${HOME}/slack"))
	if err := s.Resolve(dir); err == nil || !strings.Contains(err.Error(), "${HOME}/slack") {
		t.Errorf("another variable: %v", err)
	}
}
