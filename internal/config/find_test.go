//go:build unix

package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
)

const plainFile = "channels: {desk: {console: {}}}\n"

// place makes an empty working directory with a private ./configs, and no system
// file.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("configs", 0o700); err != nil {
		t.Fatal(err)
	}
	old := *config.SystemFile
	*config.SystemFile = filepath.Join(dir, "etc.yaml")
	t.Cleanup(func() { *config.SystemFile = old })
	write(t, "configs", "rules.yaml", configs.Rules)
	return dir
}

func TestConfigurationSearchOrder(t *testing.T) {
	dir := place(t)
	write(t, dir, "rules.yaml", configs.Rules)
	named := write(t, dir, "named.yaml", []byte(plainFile))
	variable := write(t, dir, "variable.yaml", []byte(plainFile))
	etc, here := *config.SystemFile, filepath.Join("configs", "notifier.yaml")
	env := func(string) string { return "" }
	for _, step := range []struct {
		what        string
		prepare     func()
		here        bool
		file        string
		want, found string
	}{
		{"none", func() {}, false, "", "", ""},
		{"./configs", func() { write(t, "configs", "notifier.yaml", []byte(plainFile)) }, false, "", here, here},
		{"/etc before ./configs", func() { write(t, dir, "etc.yaml", []byte(plainFile)) }, false, "", etc, etc},
		{"dev does not look into /etc", func() {}, true, "", here, here},
		{"NOTIFIER_CONFIG", func() {
			env = func(name string) string { return map[string]string{"NOTIFIER_CONFIG": variable}[name] }
		}, false, "", variable, variable + " (NOTIFIER_CONFIG)"},
		{"-c", func() {}, false, named, named, ""},
	} {
		step.prepare()
		found := ""
		l, faults, err := config.Load(config.Source{File: step.file, SkipSystem: step.here, Shipped: true, Getenv: env, Found: func(name string) { found += name }})
		if err != nil || len(faults) > 0 {
			t.Fatalf("%s: %v, %v", step.what, err, faults)
		}
		if l.File != step.want || found != step.found {
			t.Errorf("%s: read %q, reported %q", step.what, l.File, found)
		}
	}
}

// TestUntrustedLocalConfigurationIsRefused: ./configs is not used if others can have
// written it, unless it is named.
func TestUntrustedLocalConfigurationIsRefused(t *testing.T) {
	mode := func(name string, mode fs.FileMode) func(*testing.T) {
		return func(t *testing.T) {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	otherUser := func(name string) func(*testing.T) {
		return func(t *testing.T) {
			if err := os.Chown(name, 4242, -1); err != nil {
				t.Skip("only root can give a file away")
			}
		}
	}
	link := func(name string) func(*testing.T) {
		return func(t *testing.T) {
			if err := errors.Join(os.Rename(name, "elsewhere"), os.Symlink(filepath.Join(must(os.Getwd()), "elsewhere"), name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const here = "configs/notifier.yaml"
	for what, c := range map[string]struct {
		plant func(*testing.T)
		want  string // empty: it is used
	}{
		"private":                   {func(*testing.T) {}, ""},
		"readable by all":           {mode(here, 0o644), ""},
		"file writable by all":      {mode(here, 0o666), "all users can write to configs/notifier.yaml (mode 0666)"},
		"configs writable by all":   {mode("configs", 0o777), "all users can write to configs (mode 0777)"},
		". writable by all, sticky": {mode(".", 0o777|fs.ModeSticky), "all users can write to . (mode 0777)"},
		"file of another user":      {otherUser(here), "configs/notifier.yaml is owned by another user (uid 4242)"},
		"configs of another user":   {otherUser("configs"), "configs is owned by another user (uid 4242)"},
		". of another user":         {otherUser("."), ". is owned by another user (uid 4242)"},
		"the file is a link":        {link(here), "configs/notifier.yaml is a symbolic link"},
		"configs is a link":         {link("configs"), "configs is a symbolic link"},
		"rules of another user":     {otherUser("configs/rules.yaml"), "configs/rules.yaml is owned by another user (uid 4242)"},
		"rules writable by all":     {mode("configs/rules.yaml", 0o666), "all users can write to configs/rules.yaml"},
		"a pipe": {func(t *testing.T) {
			if err := errors.Join(os.Remove(here), syscall.Mkfifo(here, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, "configs/notifier.yaml is not a regular file"},
	} {
		t.Run(what, func(t *testing.T) {
			place(t)
			write(t, "configs", "notifier.yaml", []byte(plainFile))
			c.plant(t)
			for _, src := range []config.Source{{Getenv: nothing}, {Getenv: nothing, SkipSystem: true}, {Getenv: nothing, Shipped: true}} {
				_, _, err := config.Load(src)
				var refused *config.RefusedError
				switch {
				case c.want == "" && err != nil:
					t.Errorf("%v", err)
				case c.want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(err.Error(), "to use it, name it: -c ./configs/notifier.yaml")):
					t.Errorf("got %v, want %s", err, c.want)
				}
			}
			if c.want == "" || what == "a pipe" {
				return
			}
			if _, err := config.HTTPListen(config.Source{Getenv: nothing}); err == nil && !strings.Contains(what, "rules") {
				t.Error("http.listen is read from a refused file")
			}
			if _, faults, err := config.Load(config.Source{File: here, Getenv: nothing}); err != nil || len(faults.Errors()) > 0 {
				t.Errorf("named: %v, %v", err, faults)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestRootReadsSecretsOnlyForNamedConfiguration: for root, a ./configs that
// refers to a secret is refused and the secret is not read.
func TestRootReadsSecretsOnlyForNamedConfiguration(t *testing.T) {
	place(t)
	write(t, ".", "secret", []byte("https://hook.example.com/"))
	write(t, "configs", "notifier.yaml", []byte("channels:\n  hook: {webhook: {url: \"file:../secret\"}}\n"))
	_, faults, err := config.Load(config.Source{Getenv: nothing})
	root := os.Geteuid() == 0
	if want := "line 2 refers to a secret, which root may read only for a configuration that is named"; root && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("root: %v, %v", faults, err)
	}
	if !root && (err != nil || strings.Contains(faults.Error(), "url")) {
		t.Errorf("a user: %v, %v", faults, err)
	}
	if _, faults, err := config.Load(config.Source{File: "configs/notifier.yaml", Getenv: nothing}); err != nil || strings.Contains(faults.Error(), "url") {
		t.Errorf("named: %v, %v", faults, err)
	}
}

// info is a file with an owner and a mode.
type info struct {
	mode     fs.FileMode
	uid, gid uint32
}

func (i info) Name() string       { return "f" }
func (i info) Size() int64        { return 0 }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return &syscall.Stat_t{Uid: i.uid, Gid: i.gid} }

func TestTrustedOwnersAndModes(t *testing.T) {
	const uid = 1000
	for _, c := range []struct {
		what    string
		info    info
		uid     int
		trusted bool
	}{
		{"own", info{0o644, uid, uid}, uid, true},
		{"root's", info{0o644, 0, 0}, uid, true},
		{"own, writable by private group", info{0o664, uid, uid}, uid, true}, // umask 002
		{"own, writable by another group", info{0o664, uid, 100}, uid, false},
		{"root's, writable by own group", info{0o664, 0, uid}, uid, false},
		{"another user's", info{0o644, 1001, uid}, uid, false},
		{"writable by all", info{0o666, uid, uid}, uid, false},
		{"sticky directory writable by all", info{fs.ModeDir | fs.ModeSticky | 0o777, 0, 0}, uid, false},
		{"own directory", info{fs.ModeDir | 0o755, uid, uid}, uid, true},
		{"own link", info{fs.ModeSymlink | 0o777, uid, uid}, uid, false},
		{"root's, for root", info{0o644, 0, 0}, 0, true},
		{"a user's, for root", info{0o644, uid, uid}, 0, false},
		{"writable by root's group, for root", info{0o664, 0, 0}, 0, false},
	} {
		if reason := config.Untrusted("f", c.info, c.uid); (reason == "") != c.trusted {
			t.Errorf("%s: %q", c.what, reason)
		}
	}
}

func TestPermissionWarnings(t *testing.T) {
	const uid = 1000
	for _, c := range []struct {
		what             string
		info             info
		secret, readOnly bool
		want             string // empty: no warning
	}{
		{"own secret", info{0o600, uid, uid}, true, false, ""},
		{"root's secret, readable by own group", info{0o640, 0, uid}, true, false, ""},
		{"secret readable by all", info{0o644, uid, uid}, true, false, "all users can read f (mode 0644), which contains a secret"},
		{"the same on a read-only mount", info{0o644, uid, uid}, true, true, "all users can read f"},
		{"configuration readable by all", info{0o644, uid, uid}, false, false, ""},
		{"writable by a group", info{0o664, uid, uid}, false, false, "other users can write to f (mode 0664): chmod go-w"},
		{"writable by all", info{0o646, uid, uid}, false, false, "other users can write to f"},
		{"another user's", info{0o644, 1001, 0}, false, false, "f is owned by another user (uid 1001)"},
		{"another user's on a read-only mount", info{0o666, 1001, 0}, false, true, ""},
	} {
		private := ""
		if c.secret {
			private = "which contains a secret"
		}
		got := config.PermissionWarning("f", c.info, uid, private, c.readOnly)
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// TestLoadWarnsOfExposedFiles: every file of the configuration is reported once, with
// its place.
func TestLoadWarnsOfExposedFiles(t *testing.T) {
	dir := t.TempDir()
	loose := func(name string, data []byte, mode fs.FileMode) {
		t.Helper()
		if err := os.Chmod(write(t, dir, name, data), mode); err != nil {
			t.Fatal(err)
		}
	}
	loose("rules.yaml", configs.Rules, 0o666)
	loose("token", []byte("xoxb-1"), 0o644)
	loose("ca.pem", nil, 0o666)
	text := `channels:
  chat: {slack: {token: file:token, channel: C0123456}}
  more: {slack: {token: file:token, channel: C0123457}}
  hook: {webhook: {url: "https://example.com/", ca: ca.pem}}
rules: rules.yaml
`
	loose("notifier.yaml", []byte(text), 0o644)
	file := filepath.Join(dir, "notifier.yaml")
	_, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		if f.Warning && strings.Contains(f.Message, "(mode ") {
			got = append(got, strings.ReplaceAll(f.String(), dir+"/", ""))
		}
	}
	want := `notifier.yaml:2:18: warning: channels.chat.slack.token: all users can read token (mode 0644), which contains a secret: chmod 600 (in Kubernetes, defaultMode: 0400)
notifier.yaml:4:49: warning: channels.hook.webhook.ca: other users can write to ca.pem (mode 0666): chmod go-w
notifier.yaml:5:1: warning: rules: other users can write to rules.yaml (mode 0666): chmod go-w`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	loose("notifier.yaml", []byte("channels: {chat: {slack: {token: xoxb-1, channel: C0123456}}}\n"), 0o644)
	_, faults, err = config.Load(config.Source{File: file, Getenv: nothing})
	if want := "all users can read " + file + " (mode 0644), which contains a secret: write env:NAME"; err != nil || !strings.Contains(faults.Error(), want) {
		t.Errorf("a secret in the configuration: %v, %v", faults, err)
	}
}
