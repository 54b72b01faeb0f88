package config

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// checkPermissions warns of files that other users can change, and of files with
// secrets that all users can read. It does not check directories.
func (l *Loaded) checkPermissions() yamldoc.Faults {
	var faults yamldoc.Faults
	seen := make(map[string]bool)
	check := func(at yamldoc.Pos, name, private string) {
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() { // reading reports the error
			return
		}
		if warning := permissionWarning(name, info, os.Geteuid(), private, isReadOnly(name)); warning != "" {
			faults = append(faults, yamldoc.NewFault(at, true, warning).Of(yamldoc.Insecure))
		}
	}
	const (
		protect = "which contains a secret: chmod 600 (in Kubernetes, defaultMode: 0400)"
		move    = "which contains a secret: write env:NAME or file:PATH instead of the secret"
	)
	literal := ""
	l.eachSecret(func(path string, s secret.String) {
		if s.IsLiteral() && isKey(path) {
			literal = move
		}
		check(l.place(path), s.File(), protect)
	})
	if tls := l.Kafka.TLS; tls.Enabled {
		check(l.place("kafka.tls.key"), tls.Key, protect)
		check(l.place("kafka.tls.cert"), tls.Cert, "")
		check(l.place("kafka.tls.ca"), tls.CA, "")
	}
	for _, name := range l.Channels.Names() {
		c := l.Channels.Get(name)
		if c.Kind == "" { // has a fault
			continue
		}
		if s, ok := c.Settings().(interface{ Authorities() string }); ok {
			check(l.place("channels."+name+"."+c.Kind+".ca"), s.Authorities(), "")
		}
	}
	check(yamldoc.Pos{File: l.File}, l.File, literal)
	check(l.place("rules"), l.RulesFile(), "")
	for _, name := range l.Schemas.files {
		check(l.place("events"), name, "")
	}
	return faults
}

// isKey reports whether a secret is a credential by itself. User names, the URL and
// headers of a webhook, and a topic often are not.
func isKey(path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	return name != "username" && name != "url" && name != "proxy" && name != "topic" && (!strings.Contains(path, ".headers.") || secret.IsSensitive(name))
}

// permissionWarning returns a warning about the owner or mode of a file; empty:
// none. private is the reason and remedy for a file that others must not read;
// empty: others may read it. On a read-only mount only reading is checked.
func permissionWarning(name string, info fs.FileInfo, uid int, private string, readOnly bool) string {
	owner, _, known := ownerOf(info)
	mode := info.Mode().Perm()
	switch {
	case !known:
		return ""
	case private != "" && mode&0o004 != 0:
		return fmt.Sprintf("all users can read %s (mode %04o), %s", name, mode, private)
	case readOnly:
		return ""
	case mode&0o022 != 0:
		return fmt.Sprintf("other users can write to %s (mode %04o): chmod go-w", name, mode)
	case owner != 0 && owner != uid:
		return fmt.Sprintf("%s is owned by another user (uid %d): chown it to root or to the notifier's user", name, owner)
	}
	return ""
}
