package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Default locations of the configuration.
var (
	systemFile = "/etc/notifier/notifier.yaml"
	localFile  = filepath.Join("configs", "notifier.yaml")
)

// ErrNoFile is returned by Load if no configuration is found.
var ErrNoFile = errors.New("no configuration found: use -c FILE, or create /etc/notifier/notifier.yaml or ./configs/notifier.yaml")

// RefusedError is the error of a ./configs/notifier.yaml that another user may have
// written and that was not named explicitly.
type RefusedError struct {
	Name   string // of the configuration
	Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s is not used: %s; to use it, name it: -c %s", e.Path(), e.Reason, e.Path())
}

// Path returns Name with ./ before it.
func (e *RefusedError) Path() string { return "." + string(filepath.Separator) + e.Name }

// content is the content of a configuration file.
type content struct {
	name  string // empty: the embedded one
	data  []byte
	local bool // ./configs/notifier.yaml, not named explicitly
}

// read finds and reads the file.
func (src Source) read() (content, error) {
	if src.File != "" {
		data, err := safefile.Read(src.File, yamldoc.MaxBytes)
		return content{name: src.File, data: data}, readError(src.File, err)
	}
	if env := src.Getenv("NOTIFIER_CONFIG"); env != "" {
		src.notify(env + " (NOTIFIER_CONFIG)")
		data, err := safefile.Read(env, yamldoc.MaxBytes)
		return content{name: env, data: data}, readError(env+" (NOTIFIER_CONFIG)", err)
	}
	if !src.SkipSystem {
		data, err := safefile.Read(systemFile, yamldoc.MaxBytes)
		if !errors.Is(err, fs.ErrNotExist) {
			src.notify(systemFile)
			return content{name: systemFile, data: data}, readError(systemFile, err)
		}
	}
	data, err := readLocal()
	switch {
	case err == nil:
		src.notify(localFile)
		return content{name: localFile, data: data, local: true}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return content{}, err
	case src.Shipped:
		return content{data: configs.Notifier}, nil
	}
	return content{}, ErrNoFile
}

func (src Source) notify(name string) {
	if src.Found != nil {
		src.Found(name)
	}
}

// readLocal reads ./configs/notifier.yaml if only this user and root can have
// written it and, for root, if it refers to no secrets.
func readLocal() ([]byte, error) {
	for _, dir := range []string{".", filepath.Dir(localFile)} {
		info, err := os.Lstat(dir)
		if err != nil {
			return nil, err
		}
		if reason := untrusted(dir, info, os.Geteuid()); reason != "" {
			if _, err := os.Lstat(localFile); err != nil {
				return nil, err // there is no file
			}
			return nil, &RefusedError{localFile, reason}
		}
	}
	data, err := readTrusted(localFile)
	if err != nil {
		return nil, readError(localFile, err)
	}
	if line, ok := yamldoc.FindScalar(data, secret.IsReference); ok && os.Geteuid() == 0 {
		return nil, &RefusedError{localFile, fmt.Sprintf("line %d refers to a secret, which root may read only for a configuration that is named", line)}
	}
	return data, nil
}

// readTrusted reads a file that only this user and root can have written, else it
// returns a *RefusedError.
func readTrusted(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|noFollow, 0)
	if errors.Is(err, errLink) {
		return nil, &RefusedError{localFile, name + " is a symbolic link"}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if reason := untrusted(name, info, os.Geteuid()); reason != "" {
		return nil, &RefusedError{localFile, reason}
	}
	return safefile.ReadFrom(f, yamldoc.MaxBytes)
}

// untrusted returns the reason why a user other than root and uid may have written
// a file or created files in a directory; empty: none.
//
// Write permission of the user's private group (gid = uid, as on Debian and Fedora)
// is accepted. A sticky directory is not: others can create files in it.
func untrusted(name string, info fs.FileInfo, uid int) string {
	owner, group, known := ownerOf(info)
	mode := info.Mode()
	switch {
	case !known: // the system has no owners
		return ""
	case mode&fs.ModeSymlink != 0:
		return name + " is a symbolic link"
	case !mode.IsRegular() && !mode.IsDir():
		return name + " is not a regular file"
	case owner != 0 && owner != uid:
		return fmt.Sprintf("%s is owned by another user (uid %d)", name, owner)
	case mode&0o002 != 0:
		return fmt.Sprintf("all users can write to %s (mode %04o)", name, mode.Perm())
	case mode&0o020 != 0 && (uid == 0 || owner != uid || group != uid):
		return fmt.Sprintf("a group can write to %s (gid %d, mode %04o)", name, group, mode.Perm())
	}
	return ""
}

// readError returns the error of reading a configuration.
func readError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) && name == localFile {
		return err
	}
	return cannotRead("the configuration "+name, err)
}

// cannotRead returns the error of reading a file without repeating its path. A
// *RefusedError is returned as it is.
func cannotRead(what string, err error) error {
	var refused *RefusedError
	if err == nil || errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("cannot read %s: %w", what, safefile.Reason(err))
}
