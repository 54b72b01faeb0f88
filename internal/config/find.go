package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Where a configuration is looked for that nobody names.
var (
	systemFile = "/etc/notifier/notifier.yaml"
	hereFile   = filepath.Join("configs", "notifier.yaml")
)

// ErrNoFile is returned by Load where there is no file to load.
var ErrNoFile = errors.New("no configuration: give one with -c, or put it at /etc/notifier/notifier.yaml or ./configs/notifier.yaml")

// RefusedError is the error of a ./configs/notifier.yaml that was found and not
// named, and that may be somebody else's: with a file of theirs, a command would
// send what it can read to where they say.
type RefusedError struct {
	Name string // of the configuration
	Why  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s is not used: %s; name it to use it all the same: -c %s", e.Path(), e.Why, e.Path())
}

// Path is Name as a person would write it.
func (e *RefusedError) Path() string { return "." + string(filepath.Separator) + e.Name }

// found is a configuration as it was read.
type found struct {
	name string // empty: the shipped one
	data []byte
	here bool // it is ./configs, which nobody has named
}

// read finds and reads the file.
func (src Source) read() (found, error) {
	if src.File != "" {
		data, err := safefile.Read(src.File, yamldoc.MaxBytes)
		return found{name: src.File, data: data}, unreadable(src.File, err)
	}
	if env := src.Getenv("NOTIFIER_CONFIG"); env != "" {
		src.say(env + " (NOTIFIER_CONFIG)")
		data, err := safefile.Read(env, yamldoc.MaxBytes)
		return found{name: env, data: data}, unreadable(env+" (NOTIFIER_CONFIG)", err)
	}
	if !src.Here {
		data, err := safefile.Read(systemFile, yamldoc.MaxBytes)
		if !errors.Is(err, fs.ErrNotExist) {
			src.say(systemFile)
			return found{name: systemFile, data: data}, unreadable(systemFile, err)
		}
	}
	data, err := readHere()
	switch {
	case err == nil:
		src.say(hereFile)
		return found{name: hereFile, data: data, here: true}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return found{}, err
	case src.Shipped:
		return found{data: configs.Notifier}, nil
	}
	return found{}, ErrNoFile
}

func (src Source) say(name string) {
	if src.Found != nil {
		src.Found(name)
	}
}

// readHere reads ./configs/notifier.yaml, if nobody but us and root can have
// written it, and, for root, if it refers to no secrets.
func readHere() ([]byte, error) {
	for _, dir := range []string{".", filepath.Dir(hereFile)} {
		info, err := os.Lstat(dir)
		if err != nil {
			return nil, err
		}
		if why := distrust(dir, info, os.Geteuid()); why != "" {
			if _, err := os.Lstat(hereFile); err != nil {
				return nil, err // there is nothing to refuse
			}
			return nil, &RefusedError{hereFile, why}
		}
	}
	data, err := readOurs(hereFile)
	if err != nil {
		return nil, unreadable(hereFile, err)
	}
	if line, has := yamldoc.FindScalar(data, isReference); has && os.Geteuid() == 0 {
		return nil, &RefusedError{hereFile, fmt.Sprintf("line %d refers to a secret, and root gives secrets only to a configuration that is named", line)}
	}
	return data, nil
}

func isReference(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "file:")
}

// readOurs reads a file that nobody but us and root can have written; a
// *RefusedError where that is not so.
func readOurs(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|noFollow, 0)
	if errors.Is(err, errLink) {
		return nil, &RefusedError{hereFile, name + " is a symbolic link"}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if why := distrust(name, info, os.Geteuid()); why != "" {
		return nil, &RefusedError{hereFile, why}
	}
	return safefile.ReadFrom(f, yamldoc.MaxBytes)
}

// distrust says why somebody other than root and the user uid may have written
// a file or have put others into a directory; empty: nobody may.
//
// A group that is the user's own does not count (Debian and Fedora make one for
// each, and with umask 002 it may write everything): it has the user's number.
// A sticky directory counts as one that others can write to, since they can
// plant files in it.
func distrust(name string, info fs.FileInfo, uid int) string {
	owner, group, known := ownerOf(info)
	mode := info.Mode()
	switch {
	case !known: // this system has no such owners
		return ""
	case mode&fs.ModeSymlink != 0:
		return name + " is a symbolic link"
	case !mode.IsRegular() && !mode.IsDir():
		return name + " is no file"
	case owner != 0 && owner != uid:
		return fmt.Sprintf("%s belongs to another user (uid %d)", name, owner)
	case mode&0o002 != 0:
		return fmt.Sprintf("everybody can write to %s (mode %04o)", name, mode.Perm())
	case mode&0o020 != 0 && (uid == 0 || owner != uid || group != uid):
		return fmt.Sprintf("a group can write to %s (gid %d, mode %04o)", name, group, mode.Perm())
	}
	return ""
}

// unreadable says that a configuration cannot be read, and why.
func unreadable(name string, err error) error {
	var refused *RefusedError
	if err == nil || errors.Is(err, fs.ErrNotExist) && name == hereFile || errors.As(err, &refused) {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot read the configuration %s: %w", name, err)
}
