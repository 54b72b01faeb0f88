// Package safefile reads files up to a bound, and writes files that others must
// neither read nor lead astray: a new file is made exclusively, so that a link
// that somebody planted at its name is not followed, belongs to its owner alone
// (0600), and is on the disk once Commit returns. Start reading at Replace.
package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dustin/go-humanize"
)

// Read returns what the file at path holds, which may be max bytes at most. Its
// errors name the path.
func Read(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadFrom(f, max)
}

// ReadFrom is Read for a file that is open.
func ReadFrom(f *os.File, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(data)) > max {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: fmt.Errorf("it is larger than %s", humanize.IBytes(uint64(max)))}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// File is a file that is being written. Either Commit or Abandon ends it; after
// Commit, Abandon does nothing.
type File struct {
	*os.File
	target string // where it is to stand; empty: where it is
	done   bool
}

// New makes a file at a name where nothing is yet; errors.Is(err, fs.ErrExist)
// otherwise, also for a link that leads nowhere.
func New(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{File: f}, nil
}

// ErrNotRegular is the error of a name at which something other than a file
// is: a link, a device, a pipe, a directory.
var ErrNotRegular = errors.New("is no regular file: name another, or write to standard output and redirect it")

// Replace begins a file that takes the place of the one at path, if there is
// one, once it is whole. Until then it stands beside it, under a name that
// nobody can foresee.
func Replace(path string) (*File, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "replace", Path: path, Err: ErrNotRegular}
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part") // exclusively, for its owner alone
	if err != nil {
		return nil, err
	}
	return &File{File: f, target: path}, nil
}

// Commit has the file be there, whole and on the disk, or removes it.
func (f *File) Commit() error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		f.Abandon()
		return err
	}
	name := f.Name()
	if f.target != "" {
		if err := os.Rename(name, f.target); err != nil {
			f.Abandon()
			return err
		}
		name = f.target
	}
	f.done = true
	return syncDir(filepath.Dir(name))
}

// syncDir has the names in a directory be on the disk. A directory that may be
// written to and not read, and a file system that cannot do it, are no errors.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	if err := d.Sync(); errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return nil
}

// Abandon removes the file, unless it was committed.
func (f *File) Abandon() {
	if f.done {
		return
	}
	f.done = true
	_ = f.Close()
	_ = os.Remove(f.Name())
}
