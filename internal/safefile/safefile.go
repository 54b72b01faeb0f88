// Package safefile reads files up to a limit and writes private files: created
// exclusively, so that planted links are not followed, with mode 0600, and synced by
// Commit. Start reading at Replace.
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

// Read returns the content of a file of at most max bytes. Its errors have the path.
func Read(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadFrom(f, max)
}

// ReadFrom is Read for an open file.
func ReadFrom(f *os.File, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(data)) > max {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: fmt.Errorf("larger than %s", humanize.IBytes(uint64(max)))}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Reason returns the cause of a file's error without the path.
func Reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// File is a file that is being written. It ends with Commit or Abandon; Abandon
// after Commit does nothing.
type File struct {
	*os.File
	target string // path after Commit; empty: unchanged
	done   bool
}

// New creates a file. If anything exists at path, also a dangling link, the error is
// fs.ErrExist.
func New(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{File: f}, nil
}

// ErrNotRegular is the error of Replace for a link, device, pipe or directory.
var ErrNotRegular = errors.New("not a regular file: use another path, or redirect standard output")

// Replace creates a temporary file that Commit renames to path.
func Replace(path string) (*File, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "replace", Path: path, Err: ErrNotRegular}
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part") // exclusive, mode 0600
	if err != nil {
		return nil, err
	}
	return &File{File: f, target: path}, nil
}

// Commit syncs the file and renames it to its path, or removes it on an error.
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

// syncDir syncs a directory. A directory that cannot be read, or a file system that
// does not support it, is not an error.
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
