package config

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// exposed warns about files that others can read or write who should not: those
// of secrets, and those that say what becomes of them. It looks at what the
// files allow, not at their directories.
func (l *Loaded) exposed() yamldoc.Faults {
	var faults yamldoc.Faults
	seen := make(map[string]bool)
	look := func(at yamldoc.Pos, name, hide string) {
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() { // who reads it says so; a pipe is nobody's
			return
		}
		if why := exposure(name, info, os.Geteuid(), hide, isReadOnly(name)); why != "" {
			faults = append(faults, yamldoc.NewFault(at, true, why))
		}
	}
	const (
		protect = "which holds a secret: chmod 600 (in Kubernetes, defaultMode: 0400)"
		move    = "and a secret stands in it: write env:NAME or file:PATH in its place"
	)
	literal := ""
	l.eachSecret(func(path string, s secret.String) {
		if s.IsLiteral() && isKey(path) {
			literal = move
		}
		look(l.place(path), s.File(), protect)
	})
	if tls := l.Kafka.TLS; tls.Enabled {
		look(l.place("kafka.tls.key"), tls.Key, protect)
		look(l.place("kafka.tls.cert"), tls.Cert, "")
		look(l.place("kafka.tls.ca"), tls.CA, "")
	}
	for _, name := range l.Channels.Names() {
		c := l.Channels.Get(name)
		if c.Kind == "" { // it has a fault
			continue
		}
		if has, ok := c.Settings().(interface{ Authorities() string }); ok {
			look(l.place("channels."+name+"."+c.Kind+".ca"), has.Authorities(), "")
		}
	}
	look(yamldoc.Pos{File: l.File}, l.File, literal)
	look(l.place("rules"), l.RulesFile(), "")
	return faults
}

// isKey reports whether whoever knows a secret can do something with it: names
// of users, and the URL and headers of a webhook, often are of no use alone.
func isKey(path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	return name != "username" && name != "url" && (!strings.Contains(path, ".headers.") || secret.IsSensitive(name))
}

// exposure says what others may do with a file; empty: nothing that matters.
// hide says why nobody else should read it, and what to do; empty: everybody
// may. On a mount that nobody can write to, only reading matters.
func exposure(name string, info fs.FileInfo, uid int, hide string, readOnly bool) string {
	owner, _, known := ownerOf(info)
	mode := info.Mode().Perm()
	switch {
	case !known:
		return ""
	case hide != "" && mode&0o004 != 0:
		return fmt.Sprintf("everybody on this host can read %s (mode %04o), %s", name, mode, hide)
	case readOnly:
		return ""
	case mode&0o022 != 0:
		return fmt.Sprintf("others can write to %s (mode %04o): chmod go-w", name, mode)
	case owner != 0 && owner != uid:
		return fmt.Sprintf("%s belongs to another user (uid %d), who can change it: chown it to root or to the notifier's user", name, owner)
	}
	return ""
}
